// SPDX-License-Identifier: GPL-2.0

//! handle_mm_fault(): what each fault was, and whose.

use crate::{
    account::{
        links::Link,
        outside::{
            BadArea,
            Event,
            Own, //
        },
        rows::RowRef,
        totals::Outcome,
        Accounts, //
    },
    decode::{
        class::Class,
        classify::{
            self,
            Hint,
            VmaTraits, //
        },
        flags::{
            FaultFlags,
            Origin,
            VmFault, //
        },
        pte::Format, //
    },
    sys::{
        clock,
        functions::{
            FaultEntry,
            FaultExit,
            HandleMmFault, //
        },
        kretprobe,
        page_table,
        task::{
            fault_signal_pending,
            TaskId, //
        }, //
    },
};
use kernel::sync::Arc;

/// What one call hands on to the task's next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Message {
    /// A stack grew for the fault that comes now.
    Grew,
    /// An attempt has to be made again.
    Again {
        /// The class that stands for the fault, whatever the next one is.
        class: Option<Class>,
        /// It ran under the per-VMA lock.
        vma_lock: bool,
    },
    /// The fault failed with VM_FAULT_SIGSEGV: what follows is no bad area.
    Failed,
}

impl Message {
    const GREW: u32 = 1 << 16;
    const FAILED: u32 = 1 << 17;
    const VMA_LOCK: u32 = 1 << 18;
    const NO_CLASS: u32 = 0xffff;

    /// Returns the message as a number.
    pub(crate) fn pack(self) -> u32 {
        match self {
            Self::Grew => Self::GREW,
            Self::Failed => Self::FAILED,
            Self::Again { class, vma_lock } => {
                class.map_or(Self::NO_CLASS, |class| class.index() as u32)
                    | if vma_lock { Self::VMA_LOCK } else { 0 }
            }
        }
    }

    /// Returns what a number from [`Self::pack`] stands for.
    pub(crate) fn unpack(raw: u32) -> Self {
        match raw {
            Self::GREW => Self::Grew,
            raw if raw & Self::FAILED != 0 => Self::Failed,
            raw => Self::Again {
                class: Class::from_index((raw & Self::NO_CLASS) as usize),
                vma_lock: raw & Self::VMA_LOCK != 0,
            },
        }
    }
}

/// On `handle_mm_fault()`.
pub(crate) struct Fault {
    accounts: Arc<Accounts>,
    format: Format,
}

/// Tells from which mode an exception came; `None` if there was none.
fn user_mode(flags: FaultFlags, has_registers: bool) -> Option<bool> {
    match flags.origin(has_registers) {
        Origin::User => Some(true),
        Origin::Kernel => Some(false),
        Origin::Remote => None,
    }
}

/// What is kept from the entry of a call to its return.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    address: u64,
    mm: usize,
    entered_ns: u64,
    /// The page frame that was mapped.
    before: Option<u64>,
    row: Option<RowRef>,
    flags: FaultFlags,
    has_registers: bool,
    traits: VmaTraits,
    hint: Hint,
    page_cache: Option<bool>,
    /// The class of an earlier attempt that stands for the fault.
    carried: Option<Class>,
}

impl Fault {
    pub(super) fn new(accounts: Arc<Accounts>) -> Self {
        Self {
            accounts,
            format: page_table::format(),
        }
    }

    /// Takes what the task's last call left, if it is for this fault.
    fn linked(&self, call: &FaultEntry<'_>, flags: FaultFlags) -> Option<Message> {
        if flags.vma_lock() {
            // Always the first attempt, and never below a stack.
            return None;
        }
        let link = self.accounts.links.take(TaskId::current())?;
        if link.address != call.address || link.mm != call.vma.mm_id() {
            return None;
        }
        let message = Message::unpack(link.message);
        match message {
            // After an attempt under mmap_lock, the next one says so.
            Message::Again { vma_lock, .. } if !vma_lock && !flags.tried() => None,
            _ => Some(message),
        }
    }

    /// Tells whether the filter leaves a call out.
    #[inline]
    fn left_out(&self, call: &FaultEntry<'_>) -> bool {
        let Some(filter) = self.accounts.filter.get() else {
            return false;
        };
        !call
            .vma
            .owner()
            .is_some_and(|owner| filter.matches(owner.pid, &owner.comm))
    }

    /// Counts an attempt that ended in VM_FAULT_RETRY.
    fn again(&self, call: &Call, result: VmFault) {
        let class = classify::on_retry(call.hint, result, call.traits, call.page_cache);
        self.accounts.totals.retry(class);
        if call.flags.vma_lock() {
            self.accounts.outside.own(Own::VmaLockRetry);
        }
        if let Some(row) = call.row {
            self.accounts.rows.retry(row);
        }
        let stands = if class.survives_retry() {
            Some(class)
        } else {
            call.carried
        };
        let user_mode = user_mode(call.flags, call.has_registers);
        match user_mode {
            Some(mode) if fault_signal_pending(mode) => {
                let signal = Event::BadArea(BadArea::Signal);
                self.accounts.outside.count(signal, mode);
                return;
            }
            Some(mode) => self.accounts.outside.count(Event::Pending, mode),
            None => (),
        }
        if stands.is_some() || user_mode.is_some() {
            self.link(
                call,
                Message::Again {
                    class: stands,
                    vma_lock: call.flags.vma_lock(),
                },
            );
        }
    }

    fn link(&self, call: &Call, message: Message) {
        self.accounts.links.put(
            TaskId::current(),
            Link {
                address: call.address,
                mm: call.mm,
                message: message.pack(),
            },
        );
    }

    /// Counts a fault that is over.
    fn over(&self, exit: &FaultExit<'_>, call: &Call, result: VmFault) {
        let after = match exit.vma {
            Some(vma) if call.hint.needs_after(result) => {
                Some(vma.mapped(call.address, &self.format))
            }
            _ => None,
        };
        let mut class = classify::at_exit(call.hint, result, call.before, after);
        if !result.error() {
            class = call.carried.unwrap_or(class);
        }
        let major = !result.error() && (result.major() || call.flags.tried());
        self.accounts.totals.complete(
            Outcome {
                class,
                origin: call.flags.origin(call.has_registers),
                access: call.flags.access(),
                major,
                vma_lock: call.flags.vma_lock(),
            },
            clock::now_ns().saturating_sub(call.entered_ns),
        );
        let rows = &self.accounts.rows;
        let counted = call
            .row
            .is_some_and(|row| rows.complete(row, class, major))
            // The row went while the call ran: the mapping has another now.
            || exit
                .vma
                .and_then(|vma| rows.get(vma))
                .is_some_and(|row| rows.complete(row, class, major));
        if !counted {
            self.accounts.outside.own(Own::WithoutRow);
        }
        if class == Class::Sigsegv && call.has_registers {
            self.link(call, Message::Failed);
        }
    }
}

impl kretprobe::Handler for Fault {
    type Target = HandleMmFault;
    type Data = Call;

    fn entered(&self, call: FaultEntry<'_>) -> Option<Call> {
        let accounts = &*self.accounts;
        if self.left_out(&call) {
            if !accounts.paused() {
                accounts.outside.own(Own::Filtered);
            }
            return None;
        }
        accounts.outside.own(Own::Entered);
        let flags = FaultFlags::from_raw(call.flags);
        let message = self.linked(&call, flags);
        if let (Some(Message::Again { .. }), Some(mode)) =
            (message, user_mode(flags, call.has_registers))
        {
            accounts.outside.count(Event::Resumed, mode);
        }
        let traits = call.vma.traits();
        let state = call.vma.mapped(call.address, &self.format);
        let hint = classify::at_entry(state, traits, flags, message == Some(Message::Grew));
        Some(Call {
            address: call.address,
            mm: call.vma.mm_id(),
            before: state.pfn(),
            row: if accounts.paused() {
                None
            } else {
                accounts.rows.get(call.vma)
            },
            flags,
            has_registers: call.has_registers,
            traits,
            hint,
            page_cache: hint
                .needs_page_cache(traits)
                .then(|| call.vma.in_page_cache(call.address)),
            carried: match message {
                Some(Message::Again { class, .. }) => class,
                _ => None,
            },
            entered_ns: clock::now_ns(),
        })
    }

    fn returned(&self, exit: FaultExit<'_>, call: Call) {
        self.accounts.outside.own(Own::Returned);
        if self.accounts.paused() {
            return;
        }
        let result = VmFault::from_raw(exit.result);
        if result.retry() {
            self.again(&call, result);
        } else {
            self.over(&exit, &call, result);
        }
    }
}
