// SPDX-License-Identifier: GPL-2.0

//! Files in debugfs that hold the module while they are open.
//!
//! The files of `kernel::debugfs` have no owner, so that a module can go while
//! one of its files is open, and its later close runs into freed memory. These
//! have: `rmmod` says that the module is in use.
//!
//! C headers: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h),
//! [`include/linux/seq_file.h`](srctree/include/linux/seq_file.h)

use crate::bindings;
use core::{
    fmt,
    ptr::{
        from_ref,
        null,
        null_mut,
        NonNull, //
    }, //
};
use kernel::{
    error::{
        from_err_ptr,
        from_result,
        to_result, //
    },
    ffi::{
        c_char,
        c_int,
        c_void, //
    },
    prelude::*,
    ThisModule, //
};

/// The largest write that a file takes, in bytes.
const WRITE_MAX: usize = 256;

/// Where a file's text goes.
pub(crate) struct Out<'a>(&'a mut bindings::seq_file);

impl Out<'_> {
    /// Writes bytes that need not be UTF-8.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        // SAFETY: A live seq_file that this task alone uses. An overflow is
        // seq_file's to handle: it calls again with a larger buffer.
        unsafe { bindings::seq_write(self.0, bytes.as_ptr().cast(), bytes.len()) };
    }
}

impl fmt::Write for Out<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

/// A file: records to read, and perhaps text to write.
///
/// All of it is called in process context and may sleep.
pub(crate) trait File: Send + Sync + 'static {
    /// What one opening keeps until it is closed.
    type Opened: Send;

    /// Whether it can be written: mode 0600, else 0400.
    const WRITABLE: bool;

    /// Bytes of text that are put together at a time, to begin with.
    const BUFFER: usize = 4096;

    /// Called by open(2), whose errno an error is.
    fn open(&self) -> Result<Self::Opened>;

    /// Returns how many records there are.
    fn records(&self, opened: &Self::Opened) -> usize;

    /// Writes one record, or nothing.
    ///
    /// Called again for the same record if the buffer was too small, so it
    /// must not change anything.
    fn show(&self, opened: &Self::Opened, record: usize, out: &mut Out<'_>) -> fmt::Result;

    /// Takes what was written in one write(2), whose errno an error is.
    fn write(&self, _input: &[u8]) -> Result {
        Err(EINVAL)
    }
}

/// A file that is one record.
///
/// All of it is called in process context and may sleep.
pub(crate) trait Page: Send + Sync + 'static {
    /// As [`File::WRITABLE`].
    const WRITABLE: bool = false;

    /// As [`File::show`].
    fn show(&self, out: &mut Out<'_>) -> fmt::Result;

    /// As [`File::write`].
    fn write(&self, _input: &[u8]) -> Result {
        Err(EINVAL)
    }
}

/// A [`Page`] as a [`File`].
struct OneRecord<P>(P);

impl<P: Page> File for OneRecord<P> {
    type Opened = ();

    const WRITABLE: bool = P::WRITABLE;

    fn open(&self) -> Result {
        Ok(())
    }

    fn records(&self, (): &()) -> usize {
        1
    }

    fn show(&self, (): &(), _record: usize, out: &mut Out<'_>) -> fmt::Result {
        self.0.show(out)
    }

    fn write(&self, input: &[u8]) -> Result {
        self.0.write(input)
    }
}

/// Files that nobody can open yet.
pub(crate) struct Files {
    module: &'static ThisModule,
    entries: KVec<Entry>,
    folder: Option<&'static CStr>,
}

/// A directory at the root of debugfs, with its files and folders.
///
/// # Invariants
///
/// `dentry` is a directory that this value made; every file in it and below has
/// the node of one of `_entries` as its data and operations.
pub(crate) struct Directory {
    dentry: NonNull<bindings::dentry>,
    _entries: KVec<Entry>,
}

// SAFETY: A dentry belongs to no task.
unsafe impl Send for Directory {}

// SAFETY: Nothing changes through a shared reference.
unsafe impl Sync for Directory {}

/// What debugfs is given for a file.
///
/// # Invariants
///
/// `data` and `operations` point into `_node`.
struct Entry {
    folder: Option<&'static CStr>,
    name: &'static CStr,
    mode: u16,
    data: *mut c_void,
    operations: *const bindings::file_operations,
    _node: KBox<dyn Send + Sync>,
}

/// A file with the operations that debugfs is given for it.
struct Node<F> {
    file: F,
    operations: bindings::file_operations,
}

// SAFETY: The operations are function pointers and the module's address.
unsafe impl<F: Send> Send for Node<F> {}

// SAFETY: As above, and never changed.
unsafe impl<F: Sync> Sync for Node<F> {}

impl Files {
    /// Begins with none. `module` is held by each file that is open.
    pub(crate) fn new(module: &'static ThisModule) -> Self {
        Self {
            module,
            entries: KVec::new(),
            folder: None,
        }
    }

    /// Puts the files that are added from here on into a folder of this name.
    pub(crate) fn folder(&mut self, name: &'static CStr) {
        self.folder = Some(name);
    }

    /// Adds a file. Fails with `ENOMEM`. Sleeps.
    pub(crate) fn add<F: File>(&mut self, name: &'static CStr, file: F) -> Result {
        let node = KBox::new(
            Node {
                file,
                operations: operations::<F>(self.module),
            },
            GFP_KERNEL,
        )?;
        // INVARIANT: The box does not move what it holds.
        let entry = Entry {
            folder: self.folder,
            name,
            mode: if F::WRITABLE { 0o600 } else { 0o400 },
            data: from_ref::<Node<F>>(&node).cast_mut().cast(),
            operations: &node.operations,
            _node: node,
        };
        self.entries.push(entry, GFP_KERNEL)?;
        Ok(())
    }

    /// Adds a file that is one record. Fails with `ENOMEM`. Sleeps.
    pub(crate) fn add_page<P: Page>(&mut self, name: &'static CStr, page: P) -> Result {
        self.add(name, OneRecord(page))
    }

    /// Makes the directory, its folders and the files. Sleeps.
    ///
    /// Fails with `EEXIST` if there is such a directory, or with `ENOMEM`; a
    /// folder or file that debugfs can't make is left out, with a message,
    /// since others may be open by then.
    pub(crate) fn publish(self, name: &CStr) -> Result<Directory> {
        // INVARIANT: Made here; its files are made below, of these entries.
        let directory = Directory {
            // SAFETY: A null parent is the root.
            dentry: unsafe { make_folder(name, null_mut()) }?,
            _entries: self.entries,
        };
        let top = directory.dentry;
        let mut folder = None;
        let mut parent = Some(top);
        for entry in &directory._entries {
            if entry.folder != folder {
                folder = entry.folder;
                parent = match folder {
                    None => Some(top),
                    // SAFETY: `top` is a live directory.
                    Some(name) => unsafe { make_folder(name, top.as_ptr()) }
                        .inspect_err(|error| left_out(name, *error))
                        .ok(),
                };
            }
            let Some(parent) = parent else { continue };
            // SAFETY: A valid name and directory; data and operations outlive
            // the file (type invariants).
            let made = from_err_ptr(unsafe {
                bindings::debugfs_create_file_full(
                    entry.name.as_char_ptr(),
                    entry.mode,
                    parent.as_ptr(),
                    entry.data,
                    null(),
                    entry.operations,
                )
            });
            if let Err(error) = made {
                left_out(entry.name, error);
            }
        }
        Ok(directory)
    }
}

/// # Safety
///
/// `parent` is a live directory of debugfs, or null for its root.
unsafe fn make_folder(
    name: &CStr,
    parent: *mut bindings::dentry,
) -> Result<NonNull<bindings::dentry>> {
    // SAFETY: A valid name, and by the caller.
    let dentry = unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), parent) };
    NonNull::new(from_err_ptr(dentry)?).ok_or(ENOMEM)
}

fn left_out(name: &CStr, error: Error) {
    pr_warn!("no file {name:?}: {error:?}; load the module again\n");
}

impl Drop for Directory {
    fn drop(&mut self) {
        // SAFETY: Made by `Files::publish()`. Waits for calls into the files;
        // none is open, since an open one holds the module.
        unsafe { bindings::debugfs_remove(self.dentry.as_ptr()) };
    }
}

/// Returns the operations of a file.
fn operations<F: File>(module: &'static ThisModule) -> bindings::file_operations {
    bindings::file_operations {
        owner: module.as_ptr().cast(),
        open: Some(open::<F>),
        read: Some(bindings::seq_read),
        llseek: Some(bindings::seq_lseek),
        release: Some(release::<F>),
        write: if F::WRITABLE { Some(write::<F>) } else { None },
        ..Default::default()
    }
}

/// What an opening's seq_file points at.
struct Opening<F: File> {
    node: *const Node<F>,
    opened: F::Opened,
}

/// The operations of [`Opening`]'s seq_file.
struct Sequence<F>(core::marker::PhantomData<F>);

impl<F: File> Sequence<F> {
    const OPERATIONS: bindings::seq_operations = bindings::seq_operations {
        start: Some(start::<F>),
        next: Some(next::<F>),
        stop: Some(stop),
        show: Some(show::<F>),
    };
}

/// # Safety
///
/// Only as `open` of a file that [`Files::add`] was given for `F`.
unsafe extern "C" fn open<F: File>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    from_result(|| {
        // SAFETY: The file's data is a `Node<F>` that outlives it.
        let node = unsafe { bindings::trapscope_inode_private(inode) }.cast::<Node<F>>();
        // SAFETY: As above.
        let opened = unsafe { &*node }.file.open()?;
        let opening = KBox::into_raw(KBox::new(Opening::<F> { node, opened }, GFP_KERNEL)?);
        // SAFETY: The file is being opened; the table is static, and so is the type
        // that its functions expect.
        let opened = to_result(unsafe {
            bindings::trapscope_seq_open(
                file,
                &Sequence::<F>::OPERATIONS,
                opening.cast(),
                F::BUFFER,
            )
        });
        if let Err(error) = opened {
            // SAFETY: From `KBox::into_raw()` above, and the file has not got it.
            drop(unsafe { KBox::from_raw(opening) });
            return Err(error);
        }
        Ok(0)
    })
}

/// # Safety
///
/// Only as `release` of a file that [`Files::add`] was given for `F`.
unsafe extern "C" fn release<F: File>(
    inode: *mut bindings::inode,
    file: *mut bindings::file,
) -> c_int {
    // SAFETY: `open` has succeeded, and put a box there.
    let opening = unsafe { bindings::trapscope_open_private(file) }.cast::<Opening<F>>();
    // SAFETY: From `KBox::into_raw()`, and not used after this.
    drop(unsafe { KBox::from_raw(opening) });
    // SAFETY: The file has a seq_file.
    unsafe { bindings::seq_release(inode, file) }
}

/// # Safety
///
/// Only as `write` of a file that [`Files::add`] was given for `F`.
unsafe extern "C" fn write<F: File>(
    file: *mut bindings::file,
    input: *const c_char,
    size: usize,
    _position: *mut i64,
) -> isize {
    from_result(|| {
        let mut buffer = [0u8; WRITE_MAX];
        let buffer = buffer.get_mut(..size).ok_or(EINVAL)?;
        // SAFETY: The buffer has `size` bytes; the source is checked.
        let left = unsafe {
            bindings::trapscope_copy_from_user(buffer.as_mut_ptr().cast(), input.cast(), size)
        };
        if left != 0 {
            return Err(EFAULT);
        }
        // SAFETY: `open` has put an opening there, whose node outlives it.
        let opening = unsafe { &*bindings::trapscope_open_private(file).cast::<Opening<F>>() };
        // SAFETY: As above.
        unsafe { &*opening.node }.file.write(buffer)?;
        isize::try_from(size).map_err(|_| EINVAL)
    })
}

/// Returns the opening that a seq_file is of.
///
/// # Safety
///
/// Only for a seq_file that [`open`] made for `F`.
unsafe fn opening<'a, F: File>(seq: *mut bindings::seq_file) -> &'a Opening<F> {
    // SAFETY: `open` has put an opening there, and `release` takes it away.
    unsafe { &*bindings::trapscope_seq_private(seq).cast::<Opening<F>>() }
}

/// Returns the token of a record, or null behind the last.
///
/// # Safety
///
/// Only for a seq_file that [`open`] made for `F`.
unsafe fn token<F: File>(seq: *mut bindings::seq_file, position: i64) -> *mut c_void {
    // SAFETY: By the caller.
    let opening = unsafe { opening::<F>(seq) };
    // SAFETY: The node outlives the opening.
    let records = unsafe { &*opening.node }.file.records(&opening.opened);
    match usize::try_from(position) {
        Ok(record) if record < records => core::ptr::without_provenance_mut(record + 1),
        _ => null_mut(),
    }
}

/// # Safety
///
/// Only from [`Sequence<F>`].
unsafe extern "C" fn start<F: File>(
    seq: *mut bindings::seq_file,
    position: *mut i64,
) -> *mut c_void {
    // SAFETY: seq_file passes a live position.
    let position = unsafe { *position };
    // SAFETY: By the caller.
    unsafe { token::<F>(seq, position) }
}

/// # Safety
///
/// Only from [`Sequence<F>`].
unsafe extern "C" fn next<F: File>(
    seq: *mut bindings::seq_file,
    _token: *mut c_void,
    position: *mut i64,
) -> *mut c_void {
    // SAFETY: seq_file passes a live position.
    let position = unsafe { &mut *position };
    *position += 1;
    // SAFETY: By the caller.
    unsafe { token::<F>(seq, *position) }
}

/// # Safety
///
/// Only from [`Sequence`].
unsafe extern "C" fn stop(_seq: *mut bindings::seq_file, _token: *mut c_void) {}

/// # Safety
///
/// Only from [`Sequence<F>`].
unsafe extern "C" fn show<F: File>(seq: *mut bindings::seq_file, token: *mut c_void) -> c_int {
    // SAFETY: By the caller.
    let opening = unsafe { opening::<F>(seq) };
    // SAFETY: seq_file passes itself, for this call alone.
    let mut out = Out(unsafe { &mut *seq });
    // SAFETY: The node outlives the opening.
    let file = unsafe { &(*opening.node).file };
    match file.show(&opening.opened, token.addr().wrapping_sub(1), &mut out) {
        Ok(()) => 0,
        Err(fmt::Error) => EIO.to_errno(),
    }
}
