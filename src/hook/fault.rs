// SPDX-License-Identifier: GPL-2.0

//! handle_mm_fault(): what each fault was, and whose.

use crate::{
    account::{
        links::Link,
        outside::Own,
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
            VmFault, //
        }, //
    },
    sys::{
        clock::{
            Reading,
            Stopwatch, //
        },
        functions::{
            FaultEntry,
            FaultExit,
            HandleMmFault, //
        },
        kretprobe,
        page_table::PageTables,
        task::TaskId, //
    },
};
use kernel::sync::Arc;

/// What one call hands on to the task's next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Message {
    /// A stack grew for the fault that comes now.
    Grew,
    /// An attempt has to be made again; its class stands for the fault.
    Again {
        class: Class,
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

    /// Returns the message as a number.
    pub(crate) fn pack(self) -> u32 {
        match self {
            Self::Grew => Self::GREW,
            Self::Failed => Self::FAILED,
            Self::Again { class, vma_lock } => {
                class.index() as u32 | if vma_lock { Self::VMA_LOCK } else { 0 }
            }
        }
    }

    /// Returns what a number from [`Self::pack`] stands for.
    pub(crate) fn unpack(raw: u32) -> Self {
        match raw {
            Self::GREW => Self::Grew,
            raw => match Class::from_index((raw & 0xffff) as usize) {
                Some(class) if raw & Self::FAILED == 0 => Self::Again {
                    class,
                    vma_lock: raw & Self::VMA_LOCK != 0,
                },
                _ => Self::Failed,
            },
        }
    }
}

/// On `handle_mm_fault()`.
pub(crate) struct Fault {
    accounts: Arc<Accounts>,
    tables: PageTables,
    clock: Stopwatch,
}

/// In [`Call::before`]: none was.
const NO_FRAME: u64 = u64::MAX;

/// What is kept from the entry of a call to its return: little, since it is
/// written and read for each.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    address: u64,
    mm: usize,
    entered: Reading,
    /// The page frame that was mapped, or [`NO_FRAME`].
    before: u64,
    row: RowRef,
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
            tables: PageTables::new(),
            clock: Stopwatch::new(),
        }
    }

    /// Takes what the task's last call left, if it is for this fault.
    #[inline(never)]
    fn linked(&self, call: &FaultEntry<'_>, flags: FaultFlags) -> Option<Message> {
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
    #[inline(never)]
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
    #[cold]
    fn again(&self, call: &Call, result: VmFault) {
        let class = classify::on_retry(call.hint, result, call.traits, call.page_cache);
        self.accounts.totals.retry(class);
        self.accounts.rows.retry(call.row);
        let stands = if class.survives_retry() {
            Some(class)
        } else {
            call.carried
        };
        if let Some(class) = stands {
            self.link(
                call,
                Message::Again {
                    class,
                    vma_lock: call.flags.vma_lock(),
                },
            );
        }
    }

    #[cold]
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
    #[inline(always)]
    fn over(&self, exit: &FaultExit<'_>, call: &Call, result: VmFault) {
        let class = match call.hint {
            // As at_exit() says, in short.
            Hint::Is(class) if !result.error() => class,
            _ => self.answered(exit, call, result),
        };
        let class = match call.carried {
            Some(carried) if !result.error() => carried,
            _ => class,
        };
        let major = !result.error() && (result.major() || call.flags.tried());
        self.accounts.totals.complete(
            Outcome {
                class,
                origin: call.flags.origin(call.has_registers),
                access: call.flags.access(),
                major,
                vma_lock: call.flags.vma_lock(),
            },
            self.clock.since(call.entered),
        );
        if !self.accounts.rows.complete(call.row, class, major) {
            self.complete_elsewhere(exit, class, major);
        }
        if class == Class::Sigsegv && call.has_registers {
            self.link(call, Message::Failed);
        }
    }
}

impl Fault {
    /// Answers what the entry left as a question.
    #[inline(never)]
    fn answered(&self, exit: &FaultExit<'_>, call: &Call, result: VmFault) -> Class {
        let after = match exit.vma {
            Some(vma) if call.hint.needs_after(result) => {
                Some(vma.mapped(call.address, call.traits, &self.tables))
            }
            _ => None,
        };
        let before = (call.before != NO_FRAME).then_some(call.before);
        classify::at_exit(call.hint, result, before, after)
    }

    /// Counts a fault whose row went while the call ran: the mapping may have
    /// another now.
    #[cold]
    fn complete_elsewhere(&self, exit: &FaultExit<'_>, class: Class, major: bool) {
        let rows = &self.accounts.rows;
        let counted = exit
            .vma
            .is_some_and(|vma| rows.complete(rows.get(vma).0, class, major));
        if !counted {
            self.accounts.outside.own(Own::WithoutRow);
        }
    }
}

impl kretprobe::Handler for Fault {
    type Target = HandleMmFault;
    type Data = Call;

    #[inline(always)]
    fn entered(&self, call: FaultEntry<'_>) -> Option<Call> {
        let accounts = &*self.accounts;
        if accounts.filter.is_on() && self.left_out(&call) {
            if !accounts.paused() {
                accounts.outside.own(Own::Filtered);
            }
            return None;
        }
        accounts.outside.own(Own::Entered);
        let flags = FaultFlags::from_raw(call.flags);
        let message = if flags.vma_lock() {
            // Always the first attempt, and never below a stack.
            None
        } else {
            self.linked(&call, flags)
        };
        let (row, traits) = if accounts.paused() {
            (RowRef::NONE, call.vma.traits())
        } else {
            accounts.rows.get(call.vma)
        };
        let state = call.vma.mapped(call.address, traits, &self.tables);
        let hint = classify::at_entry(state, traits, flags, message == Some(Message::Grew));
        Some(Call {
            address: call.address,
            mm: call.vma.mm_id(),
            before: state.pfn().unwrap_or(NO_FRAME),
            row,
            flags,
            has_registers: call.has_registers,
            traits,
            hint,
            page_cache: hint
                .needs_page_cache(traits)
                .then(|| call.vma.in_page_cache(call.address)),
            carried: match message {
                Some(Message::Again { class, .. }) => Some(class),
                _ => None,
            },
            entered: self.clock.read(),
        })
    }

    #[inline(always)]
    fn returned(&self, exit: FaultExit<'_>, call: &Call) {
        self.accounts.outside.own(Own::Returned);
        if self.accounts.paused() {
            return;
        }
        let result = VmFault::from_raw(exit.result);
        if result.retry() {
            self.again(call, result);
        } else {
            self.over(&exit, call, result);
        }
    }
}
