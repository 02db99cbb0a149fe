// SPDX-License-Identifier: GPL-2.0

//! `vmas`: a row per mapping.

use super::line::Line;
use crate::{
    account::{
        names::{
            NameText,
            NO_TEXT, //
        },
        row::RowCopy, //
    },
    control::Control,
    decode::{
        digits,
        escape::{
            Perms,
            Set,
            Word, //
        },
    },
    sys::{
        debugfs::{
            File,
            Out, //
        },
        task::Owner,
        vma::Kind, //
    },
};
use core::fmt::{
    self,
    Write, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// Places of the table that are one record: most are of few processes, each of which is
/// looked up once.
const PLACES: usize = 64;

/// The file.
pub(super) struct Vmas(pub(super) Arc<Control>);

/// The process that had a row, and most likely has the next one.
struct Process {
    pid: i32,
    /// Digits of the pid.
    digits: [u8; 10],
    length: usize,
    /// Who has that pid now.
    owner: Option<Owner>,
    /// The name that was written last.
    word: Word,
}

impl Process {
    /// No row's.
    const NONE: Self = Self {
        pid: -1,
        digits: [0; 10],
        length: 0,
        owner: None,
        word: Word::NONE,
    };

    /// Looks up who has a pid.
    #[cold]
    fn of(pid: i32) -> Self {
        let value = u64::from(pid.unsigned_abs());
        let length = digits::decimal_length(value);
        let mut room = [0; 10];
        digits::decimal(value, room.get_mut(..length).unwrap_or_default());
        Self {
            pid,
            digits: room,
            length,
            owner: Owner::of_process(pid),
            word: Word::NONE,
        }
    }
}

/// Writes what comes before the classes.
#[inline(always)]
fn mapping(row: &RowCopy, process: &Process, line: &mut Line<'_, '_>) {
    line.first(process.length, &process.digits);
    line.text(if row.live { b" live " } else { b" gone " });
    line.hex(row.start, 8);
    line.text(b"-");
    line.hex(row.end, 8);
    let [read, write, execute, share] = Perms(row.flags).letters();
    line.text(&[b' ', read, write, execute, share]);
    match (row.offset, row.device, row.inode) {
        (0, 0, 0) => line.text(b" 00000000 00:00 0"),
        (offset, ..) => {
            line.text(b" ");
            line.hex(offset, 8);
            line.text(b" ");
            line.hex(u64::from(row.device_major()), 2);
            line.text(b":");
            line.hex(u64::from(row.device_minor()), 2);
            line.number(b' ', row.inode);
        }
    }
    line.number(b' ', row.faults());
    line.number(b' ', row.major);
    line.number(b' ', row.retries);
}

/// Writes `class:count` pairs.
#[inline(always)]
fn classes(row: &RowCopy, line: &mut Line<'_, '_>) {
    let mut before = b' ';
    for (class, count) in row.classes() {
        let name = class.padded_name();
        line.text(&[before]);
        line.first(name.length, &name.bytes);
        line.number(b':', count);
        before = b',';
    }
    if row.unnamed != 0 {
        line.text(&[before]);
        line.text(b"unnamed");
        line.number(b':', row.unnamed);
    } else if before == b' ' {
        line.text(b" -");
    }
}

/// Writes the name as in /proc/PID/maps, and ends the line.
#[inline(always)]
fn name(row: &RowCopy, name: &NameText, line: &mut Line<'_, '_>) {
    match (row.kind, row.name_length) {
        (Kind::Heap, _) => line.text(b"[heap]\n"),
        (Kind::Stack, _) => line.text(b"[stack]\n"),
        (Kind::Named, Some(length)) => {
            line.escaped(name.get(..length).unwrap_or_default(), Set::Line);
            line.text(b"\n");
        }
        (Kind::Named, None) => line.text(b"?\n"),
        (Kind::Anonymous, _) => line.text(b"-\n"),
    }
}

impl File for Vmas {
    type Opened = ();

    const WRITABLE: bool = false;

    // A record that does not fit any more is written twice: they are some 5 KiB.
    const BUFFER: usize = 64 << 10;

    fn open(&self) -> Result {
        Ok(())
    }

    fn records(&self, (): &()) -> usize {
        self.0.accounts().rows.len().div_ceil(PLACES) + 1
    }

    fn show(&self, (): &(), record: usize, out: &mut Out<'_>) -> fmt::Result {
        let Some(first) = record.checked_sub(1).map(|record| record * PLACES) else {
            return out.write_str(
                "# pid state start-end perms offset dev inode faults major retries \
                 classes comm path\n",
            );
        };
        let mut line = Line::new(out);
        let mut row = RowCopy::default();
        let mut text = NO_TEXT;
        let mut process = Process::NONE;
        for place in first..first + PLACES {
            let rows = &self.0.accounts().rows;
            if !rows.read_named(place, &mut row, &mut text) {
                continue;
            }
            if process.pid != row.pid {
                process = Process::of(row.pid);
            }
            let comm = row.comm_of(&process.owner);
            if !process.word.is_of(&comm) {
                process.word = Word::of(&comm);
            }
            mapping(&row, &process, &mut line);
            classes(&row, &mut line);
            line.word(&process.word);
            name(&row, &text, &mut line);
        }
        line.flush();
        Ok(())
    }
}
