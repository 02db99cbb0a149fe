// SPDX-License-Identifier: GPL-2.0

//! Kretprobes: a function's entry and return, with data kept between the two.
//!
//! C header: [`include/linux/kprobes.h`](srctree/include/linux/kprobes.h)

use crate::{
    bindings,
    sys::{
        functions::{
            Function,
            Returns, //
        },
        kernel_info::possible_cpus,
        per_cpu::PerCpuCounters, //
    },
};
use core::{
    marker::PhantomData,
    mem::{
        align_of,
        size_of,
        MaybeUninit, //
    },
    pin::Pin, //
};
use kernel::{
    error::to_result,
    ffi::c_int,
    prelude::*,
    types::Opaque, //
};

/// The registers at the entry or the return of a probed function.
///
/// # Invariants
///
/// Points at live registers.
#[repr(transparent)]
pub(crate) struct Registers(Opaque<bindings::pt_regs>);

impl Registers {
    /// # Safety
    ///
    /// `regs` points at registers that stay live for `'a`.
    pub(super) unsafe fn from_raw<'a>(regs: *mut bindings::pt_regs) -> &'a Self {
        // SAFETY: By the caller; the type is transparent.
        unsafe { &*regs.cast() }
    }

    /// Returns argument `index` of a function that is being entered, 0 to 3.
    ///
    /// Source: the System V ABI, `regs_get_kernel_argument()`.
    #[inline]
    pub(super) fn argument(&self, index: usize) -> usize {
        // SAFETY: Live registers (type invariant).
        let regs = unsafe { &*self.0.get() };
        match index {
            0 => regs.di,
            1 => regs.si,
            2 => regs.dx,
            _ => regs.cx,
        }
    }

    /// Returns the last argument of `copy_vma()`, which is being entered.
    pub(super) fn copy_keeps_source(&self) -> bool {
        // SAFETY: Live registers (type invariant), with the stack that they are of.
        unsafe { bindings::trapscope_copy_keeps_source(self.0.get()) }
    }

    /// Tells whether they are user mode's: `user_mode()`.
    pub(super) fn user_mode(&self) -> bool {
        // SAFETY: Live registers (type invariant); all views of the word are
        // valid for any bits.
        unsafe { (*self.0.get()).__bindgen_anon_1.cs & 3 != 0 }
    }

    /// Returns the address of the instruction: `instruction_pointer()`.
    pub(super) fn instruction(&self) -> u64 {
        // SAFETY: Live registers (type invariant).
        unsafe { (*self.0.get()).ip as u64 }
    }

    /// Tells whether interrupts were on: `regs_irqs_disabled()`.
    #[inline]
    pub(super) fn interrupts_on(&self) -> bool {
        // SAFETY: Live registers (type invariant).
        unsafe { (*self.0.get()).flags & (1 << bindings::X86_EFLAGS_IF_BIT) != 0 }
    }

    /// Returns the value that a function returns.
    #[inline]
    pub(super) fn return_value(&self) -> usize {
        // SAFETY: Live registers (type invariant).
        unsafe { (*self.0.get()).ax }
    }
}

/// What the entry of a call leaves for its return.
#[repr(C)]
struct Slot<D, M> {
    data: MaybeUninit<D>,
    /// Whether there is more.
    has_more: MaybeUninit<bool>,
    more: MaybeUninit<M>,
}

/// Where the entry of a call leaves what its return needs.
pub(crate) struct Room<'a, D, M = ()> {
    slot: &'a mut Slot<D, M>,
    calls: &'a Calls,
}

/// What the entry of a call kept besides its data, to be looked at only where it is
/// needed.
///
/// # Invariants
///
/// The [`Room`] of the slot was filled.
pub(crate) struct Besides<'a, D, M>(&'a Slot<D, M>);

impl<'a, D, M> Besides<'a, D, M> {
    /// Returns what [`Room::keep_with`] was given, if it was that.
    pub(crate) fn get(self) -> Option<&'a M> {
        // SAFETY: Filled (type invariant).
        if !unsafe { self.0.has_more.assume_init() } {
            return None;
        }
        // SAFETY: Whoever wrote true had filled it.
        Some(unsafe { self.0.more.assume_init_ref() })
    }
}

/// What the entry of a call came to.
///
/// # Invariants
///
/// If it is true, the [`Room`] with this lifetime was filled.
pub(crate) struct Entered<'a>(bool, PhantomData<fn(&'a ()) -> &'a ()>);

impl<'a, D, M> Room<'a, D, M> {
    /// Leaves the data for the return of this call.
    #[inline(always)]
    pub(crate) fn keep(self, data: D) -> Entered<'a> {
        self.slot.data.write(data);
        self.slot.has_more.write(false);
        // INVARIANT: Just filled. No two rooms share a lifetime, since handlers
        // have to take any.
        Entered(true, PhantomData)
    }

    /// As [`Self::keep`], with what few calls need.
    pub(crate) fn keep_with(self, data: D, more: M) -> Entered<'a> {
        self.slot.data.write(data);
        self.slot.more.write(more);
        self.slot.has_more.write(true);
        // INVARIANT: As above.
        Entered(true, PhantomData)
    }

    /// Skips the call: its return will not be seen.
    pub(crate) fn skip(self) -> Entered<'a> {
        self.calls.increment_at::<SKIPPED>();
        // INVARIANT: Nothing to hold.
        Entered(false, PhantomData)
    }
}

/// What runs at the entry and the return of the probed function.
pub(crate) trait Handler: Sync {
    /// The function to probe.
    type Target: Returns;

    /// What is kept from the entry to the return.
    type Data: Copy;

    /// What is kept besides, for calls that need it.
    type More: Copy;

    /// Called at the entry, on the task that called the function.
    ///
    /// Preemption is off: no sleeping, no allocation.
    fn entered<'a>(
        &self,
        call: <Self::Target as Function>::Entry<'_>,
        room: Room<'a, Self::Data, Self::More>,
    ) -> Entered<'a>;

    /// Called at the return, on the same task, with what the entry kept.
    ///
    /// Preemption is off: no sleeping, no allocation.
    fn returned(
        &self,
        call: <Self::Target as Returns>::Exit<'_>,
        data: &Self::Data,
        besides: Besides<'_, Self::Data, Self::More>,
    );

    /// Called when the probe is gone, with how many calls it did not see, and of how
    /// many it saw the entry alone. Sleeps.
    fn gone(&self, _missed: u64, _unfinished: u64) {}
}

/// The calls of a probed function. They are never reset.
type Calls = PerCpuCounters<5>;

/// Those that came and got no instance: one that comes is counted, and taken back
/// when it gets one.
const MISSED: usize = 0;
/// Those that got one.
const TAKEN: usize = 1;
/// Those that the handler skipped.
const SKIPPED: usize = 2;
/// Those that returned.
const RETURNED: usize = 3;
/// What [`MISSED`] was when the probe was attached: a few had come by the kernel's
/// entry, and were taken back all the same.
const NONE_MISSED: usize = 4;

/// What lies in a kretprobe instance between entry and return.
#[repr(C)]
struct Kept<H: Handler> {
    arguments: <H::Target as Returns>::Kept,
    slot: Slot<H::Data, H::More>,
}

/// A registered kretprobe.
///
/// # Invariants
///
/// `probe` is registered, its address is stable, and it counts in `calls`.
#[pin_data(PinnedDrop)]
pub(crate) struct Kretprobe<H: Handler> {
    #[pin]
    probe: Opaque<bindings::trapscope_kretprobe>,
    calls: Calls,
    handler: H,
}

// SAFETY: A kretprobe belongs to no task, and the handler is `Send`.
unsafe impl<H: Handler + Send> Send for Kretprobe<H> {}

// SAFETY: The C side serialises changes to the probe.
unsafe impl<H: Handler> Sync for Kretprobe<H> {}

impl<H: Handler> Kretprobe<H> {
    /// Registers a kretprobe for up to `instances` calls at a time. Sleeps.
    ///
    /// Fails with the errno of `register_kretprobe()`: `ENOENT` for an unknown
    /// symbol, `EINVAL` for one that may not be probed, `ENOMEM`.
    pub(crate) fn new(handler: H, instances: u32) -> impl PinInit<Self, Error> {
        const {
            assert!(align_of::<Kept<H>>() <= align_of::<bindings::kretprobe_instance>());
        }
        try_pin_init!(&this in Self {
            calls: Calls::new()?,
            probe <- Opaque::ffi_init(|slot: *mut bindings::trapscope_kretprobe| {
                let probe = bindings::kretprobe {
                    kp: bindings::kprobe {
                        symbol_name: H::Target::SYMBOL.as_char_ptr(),
                        ..Default::default()
                    },
                    entry_handler: Some(entered::<H>),
                    handler: Some(returned::<H>),
                    maxactive: i32::try_from(instances).unwrap_or(i32::MAX),
                    data_size: size_of::<Kept<H>>(),
                    ..Default::default()
                };
                // SAFETY: Initialised above.
                let missed = unsafe { &(*this.as_ptr()).calls }.address_of::<MISSED>();
                // SAFETY: `slot` is valid for writes.
                unsafe { slot.write(bindings::trapscope_kretprobe { probe, missed }) };
            }),
            handler,
            _: {
                // SAFETY: All fields are initialised.
                let probe = Opaque::cast_into(unsafe { &raw const (*this.as_ptr()).probe });
                // SAFETY: The slot is pinned, and the probe is unregistered
                // before it goes.
                to_result(unsafe { bindings::trapscope_register_kretprobe(probe) })?;
                // SAFETY: All fields are initialised.
                unsafe { &(*this.as_ptr()).calls }.mark::<MISSED, NONE_MISSED>();
            },
        })
    }

    /// Returns the memory that so many instances take, in bytes.
    ///
    /// Source: `objpool_init()`, lib/objpool.c.
    pub(crate) fn memory(instances: u32) -> u64 {
        let instance = size_of::<bindings::kretprobe_instance>() + size_of::<Kept<H>>();
        let places = u64::from(instances.next_power_of_two()) * size_of::<usize>() as u64;
        u64::from(instances) * instance as u64 + places * u64::from(possible_cpus())
    }

    /// Returns how many calls went unseen since it was attached: no instance was
    /// free, or another probe was running on that CPU. Sleeps until a task ran on
    /// each CPU that missed any.
    pub(crate) fn missed(&self) -> u64 {
        // SAFETY: The probe was initialised; the word is read whole.
        let nested = unsafe { (&raw const (*self.probe.get()).probe.kp.nmissed).read_volatile() };
        self.calls
            .since_mark::<MISSED, NONE_MISSED>()
            .wrapping_add(nested as u64)
    }

    /// Returns how many calls are under way whose return will be seen.
    pub(crate) fn in_flight(&self) -> u64 {
        // The ends are read first: of a call between the readings only the begin
        // counts.
        let ended = self
            .calls
            .sum(RETURNED)
            .wrapping_add(self.calls.sum(SKIPPED));
        self.calls.sum(TAKEN).saturating_sub(ended)
    }
}

#[pinned_drop]
impl<H: Handler> PinnedDrop for Kretprobe<H> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: Registered (type invariant). Waits for running handlers;
        // calls that return later pass the handler by.
        unsafe { bindings::trapscope_unregister_kretprobe(self.probe.get()) };
        self.handler.gone(self.missed(), self.in_flight());
    }
}

/// # Safety
///
/// `instance` belongs to the probe of a registered [`Kretprobe<H>`].
#[inline]
unsafe fn owner<'a, H: Handler>(instance: *mut bindings::kretprobe_instance) -> &'a Kretprobe<H> {
    // SAFETY: A node in use has a live `rethook`: see get_kretprobe().
    let rethook = unsafe { (*instance).node.rethook };
    // SAFETY: As above; its data is the kretprobe.
    let probe = unsafe { (*rethook).data.cast::<bindings::trapscope_kretprobe>() };
    // SAFETY: It is the first field of the one in a pinned `Kretprobe<H>`.
    let this = unsafe { kernel::container_of!(Opaque::cast_from(probe), Kretprobe<H>, probe) };
    // SAFETY: Its drop waits for running handlers.
    unsafe { &*this }
}

/// # Safety
///
/// Only as `entry_handler` of the probe in a [`Kretprobe<H>`].
unsafe extern "C" fn entered<H: Handler>(
    instance: *mut bindings::kretprobe_instance,
    regs: *mut bindings::pt_regs,
) -> c_int {
    // SAFETY: Called for the probe of a registered `Kretprobe<H>`.
    let this = unsafe { owner::<H>(instance) };
    this.calls.move_one::<MISSED, TAKEN>();
    // SAFETY: The C side passes live registers.
    let registers = unsafe { Registers::from_raw(regs) };
    // SAFETY: They are those at the entry of the target.
    let arguments = unsafe { H::Target::kept(registers) };
    // SAFETY: As above.
    let call = unsafe { H::Target::entry(registers) };
    // SAFETY: The instance has `data_size` bytes of room, aligned by the check
    // in `Kretprobe::new()`, and is this call's alone.
    let kept = unsafe { &mut *(&raw mut (*instance).data).cast::<MaybeUninit<Kept<H>>>() };
    let kept = kept.write(Kept {
        arguments,
        slot: Slot {
            data: MaybeUninit::uninit(),
            has_more: MaybeUninit::uninit(),
            more: MaybeUninit::uninit(),
        },
    });
    let room = Room {
        slot: &mut kept.slot,
        calls: &this.calls,
    };
    let Entered(seen, _) = this.handler.entered(call, room);
    c_int::from(!seen)
}

/// # Safety
///
/// Only as `handler` of the probe in a [`Kretprobe<H>`].
unsafe extern "C" fn returned<H: Handler>(
    instance: *mut bindings::kretprobe_instance,
    regs: *mut bindings::pt_regs,
) -> c_int {
    // SAFETY: Called for the probe of a registered `Kretprobe<H>`.
    let this = unsafe { owner::<H>(instance) };
    // SAFETY: The entry handler wrote this, or this call would not be; the
    // instance is this call's alone.
    let kept = unsafe { &*(&raw const (*instance).data).cast::<Kept<H>>() };
    // SAFETY: The C side passes live registers.
    let registers = unsafe { Registers::from_raw(regs) };
    // SAFETY: They are those at the return of the call that `kept` is of.
    let call = unsafe { H::Target::exit(registers, kept.arguments) };
    // SAFETY: The entry handler filled it, or this call would not be
    // (invariant of `Entered`).
    let data = unsafe { kept.slot.data.assume_init_ref() };
    // INVARIANT: As above.
    this.handler.returned(call, data, Besides(&kept.slot));
    // Last: who sees that nothing is under way finds all of it counted.
    this.calls.increment_at::<RETURNED>();
    0
}

#[kunit_tests(trapscope_kretprobe)]
mod tests {
    use super::*;
    use crate::sys::atomic::{
        AtomicU64,
        Ordering, //
    };
    use core::ptr::null_mut;
    use kernel::{
        ffi::c_void,
        sync::Arc, //
    };

    struct Nowhere;

    // SAFETY: There is no such function.
    unsafe impl Function for Nowhere {
        const SYMBOL: &'static CStr = c"trapscope_no_such_function";
        type Entry<'a> = ();
        unsafe fn entry<'a>(_registers: &'a Registers) {}
    }

    // SAFETY: As above.
    unsafe impl Returns for Nowhere {
        type Kept = ();
        type Exit<'a> = ();
        unsafe fn kept(_registers: &Registers) {}
        unsafe fn exit<'a>(_registers: &'a Registers, (): ()) {}
    }

    /// sprint_symbol(): exported, and seldom called by others.
    struct SprintSymbol;

    // SAFETY: int sprint_symbol(char *buffer, unsigned long address)
    unsafe impl Function for SprintSymbol {
        const SYMBOL: &'static CStr = c"sprint_symbol";
        type Entry<'a> = usize;
        unsafe fn entry<'a>(registers: &'a Registers) -> usize {
            registers.argument(1)
        }
    }

    // SAFETY: As above.
    unsafe impl Returns for SprintSymbol {
        type Kept = usize;
        type Exit<'a> = (usize, usize);
        unsafe fn kept(registers: &Registers) -> usize {
            registers.argument(1)
        }
        unsafe fn exit<'a>(registers: &'a Registers, kept: usize) -> (usize, usize) {
            (kept, registers.return_value())
        }
    }

    struct Unseen;

    impl Handler for Unseen {
        type Target = Nowhere;
        type Data = ();
        type More = ();
        fn entered<'a>(&self, (): (), room: Room<'a, ()>) -> Entered<'a> {
            room.skip()
        }
        fn returned(&self, (): (), (): &(), _besides: Besides<'_, (), ()>) {}
    }

    /// Keeps the argument and the length that was returned; odd arguments twice.
    struct Spy(Arc<[AtomicU64; 3]>);

    impl Handler for Spy {
        type Target = SprintSymbol;
        type Data = u64;
        type More = u64;
        fn entered<'a>(&self, address: usize, room: Room<'a, u64, u64>) -> Entered<'a> {
            let address = address as u64;
            if address & 1 == 0 {
                room.keep(address)
            } else {
                room.keep_with(address, address)
            }
        }
        fn returned(
            &self,
            (kept, length): (usize, usize),
            address: &u64,
            besides: Besides<'_, u64, u64>,
        ) {
            if kept as u64 == *address {
                self.0[2].store(besides.get().copied().unwrap_or(0), Ordering::Relaxed);
                self.0[0].store(*address, Ordering::Relaxed);
                self.0[1].store(length as u64, Ordering::Relaxed);
            }
        }
    }

    /// for_each_kernel_tracepoint(): seldom called, and it calls what it is told.
    struct ForEachTracepoint;

    // SAFETY: void for_each_kernel_tracepoint(void (*fct)(struct tracepoint *tp,
    // void *priv), void *priv)
    unsafe impl Function for ForEachTracepoint {
        const SYMBOL: &'static CStr = c"for_each_kernel_tracepoint";
        type Entry<'a> = ();
        unsafe fn entry<'a>(_registers: &'a Registers) {}
    }

    // SAFETY: As above.
    unsafe impl Returns for ForEachTracepoint {
        type Kept = ();
        type Exit<'a> = ();
        unsafe fn kept(_registers: &Registers) {}
        unsafe fn exit<'a>(_registers: &'a Registers, (): ()) {}
    }

    struct Counted;

    impl Handler for Counted {
        type Target = ForEachTracepoint;
        type Data = ();
        type More = ();
        fn entered<'a>(&self, (): (), room: Room<'a, ()>) -> Entered<'a> {
            room.keep(())
        }
        fn returned(&self, (): (), (): &(), _besides: Besides<'_, (), ()>) {}
    }

    extern "C" fn ignore(_tracepoint: *mut bindings::tracepoint, _data: *mut c_void) {}

    /// Calls it again inside of a call, as often as `data` says.
    ///
    /// # Safety
    ///
    /// `data` is the caller's `u32`.
    unsafe extern "C" fn nest(_tracepoint: *mut bindings::tracepoint, data: *mut c_void) {
        // SAFETY: By the caller, who leaves it alone meanwhile.
        let left = unsafe { &mut *data.cast::<u32>() };
        if *left > 0 {
            *left -= 1;
            // SAFETY: It ignores its arguments.
            unsafe { bindings::for_each_kernel_tracepoint(Some(ignore), null_mut()) };
        }
    }

    fn call(address: usize) -> u64 {
        let mut text = [0u8; 512];
        // SAFETY: The buffer is larger than KSYM_SYMBOL_LEN.
        let length = unsafe { bindings::sprint_symbol(text.as_mut_ptr(), address) };
        length as u64
    }

    #[test]
    fn an_unknown_symbol_is_refused() {
        let probe = KBox::pin_init(Kretprobe::new(Unseen, 1), GFP_KERNEL);
        assert!(probe.is_err_and(|error| error == ENOENT));
    }

    #[test]
    fn what_finds_no_instance_is_missed_though_the_kernel_loses_count() -> Result {
        let probe = KBox::pin_init(Kretprobe::new(Counted, 1), GFP_KERNEL)?;
        let mut left = 3u32;
        // SAFETY: `nest` gets the number that outlives the call.
        unsafe { bindings::for_each_kernel_tracepoint(Some(nest), (&raw mut left).cast()) };
        assert_eq!((left, probe.in_flight()), (0, 0));
        // SAFETY: No call comes now. As if CPUs had counted at once.
        unsafe { (&raw mut (*probe.probe.get()).probe.nmissed).write_volatile(1) };
        assert_eq!(probe.missed(), 3);
        Ok(())
    }

    #[test]
    fn entry_and_return_are_seen_until_it_is_dropped() -> Result {
        let seen = Arc::new([const { AtomicU64::new(0) }; 3], GFP_KERNEL)?;
        let probe = KBox::pin_init(Kretprobe::new(Spy(seen.clone()), 4), GFP_KERNEL)?;
        let length = call(0x1234);
        assert_eq!(seen[0].load(Ordering::Relaxed), 0x1234);
        assert_eq!(seen[1].load(Ordering::Relaxed), length);
        assert_eq!(seen[2].load(Ordering::Relaxed), 0);
        call(0x1235);
        assert_eq!(seen[2].load(Ordering::Relaxed), 0x1235);
        assert_eq!(probe.missed(), 0);
        drop(probe);
        call(0x5678);
        assert_eq!(seen[0].load(Ordering::Relaxed), 0x1235);
        Ok(())
    }
}
