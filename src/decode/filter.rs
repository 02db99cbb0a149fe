// SPDX-License-Identifier: GPL-2.0

//! The text that selects which processes are counted, and the text of switches.

use super::escape::until_nul;
use core::{
    fmt,
    str::{
        self,
        FromStr, //
    },
};
use kernel::prelude::*;

/// Size of a task's name with the NUL that ends it (TASK_COMM_LEN of include/linux/sched.h).
pub(crate) const COMM_LEN: usize = 16;

/// Which processes are counted: all terms that are given must hold.
///
/// The text form is `none`, or one or both of `pid=N` and `comm=NAME` in this order, with blanks
/// between them. The name takes the rest of the line, has 1 to 15 bytes of UTF-8 and no control
/// characters. A newline may follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Filter {
    /// The process, by its number in the initial namespace; above 0.
    pub(crate) pid: Option<i32>,
    /// The name, padded with NUL up to the end.
    pub(crate) comm: Option<[u8; COMM_LEN]>,
}

impl Filter {
    /// Returns the filter that a text stands for, or `EINVAL`.
    fn parse(text: &[u8]) -> Result<Self> {
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        let mut filter = Self::default();
        let mut rest = skip_blanks(line);

        if rest == b"none" {
            return Ok(filter);
        }

        while !rest.is_empty() {
            if let Some(name) = rest.strip_prefix(b"comm=") {
                filter.comm = Some(parse_comm(name)?);
                return Ok(filter);
            }

            let term = rest.split(|&b| b == b' ').next().unwrap_or(rest);
            let number = term.strip_prefix(b"pid=").ok_or(EINVAL)?;
            if filter.pid.replace(parse_pid(number)?).is_some() {
                return Err(EINVAL);
            }
            rest = skip_blanks(rest.get(term.len()..).unwrap_or_default());
        }

        if filter.pid.is_none() {
            return Err(EINVAL);
        }
        Ok(filter)
    }

    /// Returns whether a process is to be counted; of `comm`, what follows a NUL is ignored.
    #[inline]
    pub(crate) fn matches(&self, pid: i32, comm: &[u8; COMM_LEN]) -> bool {
        self.pid.is_none_or(|wanted| wanted == pid)
            && self.comm.is_none_or(|wanted| same_name(&wanted, comm))
    }
}

impl FromStr for Filter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            None if self.comm.is_none() => return f.write_str("none"),
            None => {}
            Some(pid) if self.comm.is_none() => return write!(f, "pid={pid}"),
            Some(pid) => write!(f, "pid={pid} ")?,
        }
        if let Some(comm) = &self.comm {
            let name = str::from_utf8(until_nul(comm)).unwrap_or_default();
            write!(f, "comm={name}")?;
        }
        Ok(())
    }
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|&&b| b == b' ').count();

    text.get(blanks..).unwrap_or_default()
}

fn parse_pid(digits: &[u8]) -> Result<i32> {
    // FromStr of integers also takes a sign.
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(EINVAL);
    }
    match str::from_utf8(digits).map(i32::from_str) {
        Ok(Ok(pid)) if pid > 0 => Ok(pid),
        _ => Err(EINVAL),
    }
}

fn parse_comm(name: &[u8]) -> Result<[u8; COMM_LEN]> {
    let text = str::from_utf8(name).map_err(|_| EINVAL)?;
    if text.is_empty() || text.contains(char::is_control) {
        return Err(EINVAL);
    }

    let mut comm = [0; COMM_LEN];
    // One byte is left for the NUL that ends the name.
    comm.get_mut(..name.len())
        .filter(|room| room.len() < COMM_LEN)
        .ok_or(EINVAL)?
        .copy_from_slice(name);
    Ok(comm)
}

#[inline]
fn same_name(a: &[u8; COMM_LEN], b: &[u8; COMM_LEN]) -> bool {
    for (x, y) in a.iter().zip(b) {
        if x != y {
            return false;
        }
        if *x == 0 {
            break;
        }
    }
    true
}

/// Returns what a switch is set to by a text: `0` or `1`, and maybe a newline.
pub(crate) fn parse_switch(text: &[u8]) -> Option<bool> {
    match text.strip_suffix(b"\n").unwrap_or(text) {
        b"0" => Some(false),
        b"1" => Some(true),
        _ => None,
    }
}

#[kunit_tests(trapscope_filter)]
mod tests {
    use super::*;
    use core::fmt::Write;

    /// A place to format into.
    struct Text {
        bytes: [u8; 64],
        len: usize,
    }

    impl Write for Text {
        fn write_str(&mut self, s: &str) -> fmt::Result {
            let end = self.len + s.len();
            let room = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
            room.copy_from_slice(s.as_bytes());
            self.len = end;
            Ok(())
        }
    }

    fn prints(filter: &Filter, expected: &str) -> bool {
        let mut text = Text {
            bytes: [0; 64],
            len: 0,
        };
        write!(text, "{filter}").is_ok() && text.bytes.get(..text.len) == Some(expected.as_bytes())
    }

    fn comm(name: &[u8]) -> [u8; COMM_LEN] {
        let mut comm = [0; COMM_LEN];
        comm[..name.len()].copy_from_slice(name);
        comm
    }

    fn rejected(text: &[u8]) -> bool {
        Filter::parse(text).is_err()
    }

    #[test]
    fn valid_filters() {
        let filter = |pid, comm| Some(Filter { pid, comm });
        let parsed = |text: &[u8]| Filter::parse(text).ok();
        let name = Some(comm(b"a b"));
        let longest = Some(comm(b"123456789012345"));

        assert_eq!(parsed(b"none"), filter(None, None));
        assert_eq!(parsed(b"none\n"), filter(None, None));
        assert_eq!(parsed(b"pid=42"), filter(Some(42), None));
        assert_eq!(parsed(b"pid=42\n"), filter(Some(42), None));
        assert_eq!(parsed(b"pid=2147483647"), filter(Some(i32::MAX), None));
        assert_eq!(parsed(b"comm=a b\n"), filter(None, name));
        assert_eq!(parsed(b"comm=123456789012345"), filter(None, longest));
        assert_eq!(parsed(b"pid=42 comm=a b\n"), filter(Some(42), name));
        assert_eq!(parsed(b"  pid=42   comm=a b"), filter(Some(42), name));
        // The name takes the rest of the line, whatever it looks like.
        assert_eq!(
            Filter::parse(b"comm=pid=1 \n").ok(),
            Some(Filter {
                pid: None,
                comm: Some(comm(b"pid=1 ")),
            })
        );
        assert_eq!("pid=7".parse::<Filter>().ok().and_then(|f| f.pid), Some(7));
    }

    #[test]
    fn invalid_filters() {
        let cases: [&[u8]; 26] = [
            b"",
            b"\n",
            b" ",
            b"none none",
            b"none pid=1",
            b"pid=1 none",
            b"none\n\n",
            b"pid=",
            b"pid=0",
            b"pid=-1",
            b"pid=+1",
            b"pid=1x",
            b"pid=2147483648",
            b"pid=99999999999999999999",
            b"pid=1 pid=1",
            b"pid=1\npid=2",
            b"pid=1,comm=a",
            b"pid = 1",
            b"PID=1",
            b"uid=1",
            b"comm=",
            b"comm=\n",
            b"comm=1234567890123456",
            b"comm=a\0b",
            b"comm=a\nb",
            b"comm=\xff",
        ];
        for text in cases {
            assert!(rejected(text));
        }
    }

    #[test]
    fn printing_gives_the_text_back() {
        for text in [
            "none",
            "pid=42",
            "comm=kworker/0:1",
            "pid=7 comm=a pid=8",
            "comm=gr\u{fc}n",
        ] {
            assert!(text.parse::<Filter>().is_ok_and(|f| prints(&f, text)));
        }
    }

    #[test]
    fn all_terms_have_to_match() {
        let matches = |text: &str, pid, name: &[u8]| {
            text.parse::<Filter>()
                .is_ok_and(|f| f.matches(pid, &comm(name)))
        };
        assert!(matches("none", 1, b"init"));
        assert!(matches("pid=1", 1, b"init"));
        assert!(!matches("pid=1", 2, b"init"));
        assert!(matches("comm=init", 2, b"init"));
        assert!(!matches("comm=init", 2, b"initd"));
        assert!(!matches("comm=initd", 2, b"init"));
        assert!(matches("pid=1 comm=init", 1, b"init"));
        assert!(!matches("pid=1 comm=init", 2, b"init"));
        assert!(!matches("pid=1 comm=init", 1, b"sh"));
    }

    #[test]
    fn bytes_after_the_name_do_not_matter() {
        let mut stale = comm(b"sh");
        stale[3] = b'x';
        assert!("comm=sh"
            .parse::<Filter>()
            .is_ok_and(|f| f.matches(1, &stale)));
        // A name as long as it gets.
        let long = comm(b"123456789012345");
        assert!("comm=123456789012345"
            .parse::<Filter>()
            .is_ok_and(|f| f.matches(1, &long)));
    }

    #[test]
    fn switches() {
        assert_eq!(parse_switch(b"0"), Some(false));
        assert_eq!(parse_switch(b"0\n"), Some(false));
        assert_eq!(parse_switch(b"1"), Some(true));
        assert_eq!(parse_switch(b"1\n"), Some(true));
        let bad: [&[u8]; 8] = [b"", b"\n", b"2", b"10", b" 1", b"1 ", b"1\n\n", b"y"];
        for text in bad {
            assert_eq!(parse_switch(text), None);
        }
    }
}
