//! Unix: a page that a mapped file no longer has raises `SIGBUS` in the thread that reads it.
//!
//! The handler finds the address in a table of maps, puts pages of zeros over the rest of that map, and notes that it did. What it uses is fixed before it is
//! installed: atomic numbers, and `mmap` and `sigaction`, which are system calls without locks or allocation. The file ends before the page, so that no page
//! behind it is anybody's either; and nobody writes to the map, so that only the bytes of a lost file change, to which every step's end puts an error.
#![expect(unsafe_code, reason = "signals and fixed maps have no safe form")]

use std::ffi::{c_int, c_void};
use std::io;
use std::ops::Range;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Maps that can be watched at a time.
const PLACES: usize = 256;

/// A map: its addresses, as numbers; nothing if both are 0.
struct Place {
    start: AtomicUsize,
    /// After the last page.
    end: AtomicUsize,
    lost: AtomicBool,
}

static TABLE: [Place; PLACES] = [const {
    Place {
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        lost: AtomicBool::new(false),
    }
}; PLACES];

/// Whether anything was ever lost.
static ANY_LOST: AtomicBool = AtomicBool::new(false);

/// What is fixed before the first signal.
struct Installed {
    /// Bytes of a page.
    page: usize,
    /// Who was told before.
    before: libc::sigaction,
}

static INSTALLED: OnceLock<Installed> = OnceLock::new();

pub(super) fn install() -> io::Result<()> {
    if INSTALLED.get().is_some() {
        return Ok(());
    }
    // SAFETY: it is asked for a number.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) })
        .map_err(|_| io::Error::last_os_error())?;
    let before = action(None)?;
    // Of two that install at a time, one does.
    let mut is_first = false;
    INSTALLED.get_or_init(|| {
        is_first = true;
        Installed { page, before }
    });
    if is_first {
        let mut new = before;
        new.sa_sigaction = on_bus as extern "C" fn(_, _, _) as *const () as libc::sighandler_t;
        new.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        action(Some(&new))?;
    }
    Ok(())
}

/// Sets what happens on `SIGBUS`, if that is given, and gives what happened before.
fn action(new: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    let mut before = std::mem::MaybeUninit::uninit();
    let new = new.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `new` is null or an action, and `before` has room for one.
    if unsafe { libc::sigaction(libc::SIGBUS, new, before.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so that it is written.
    Ok(unsafe { before.assume_init() })
}

extern "C" fn on_bus(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    let Some(installed) = INSTALLED.get() else {
        return;
    };
    // SAFETY: the system gives a handler with `SA_SIGINFO` what it knows.
    let fault = unsafe { (*info).si_addr() };
    for place in &TABLE {
        let range = place.range();
        if !range.contains(&fault.addr()) {
            continue;
        }
        let page = fault.map_addr(|address| address & !(installed.page - 1));
        // SAFETY: from the page to its end the map is one of a file that does not reach there, and it is only read.
        let zeros = unsafe {
            libc::mmap(
                page,
                range.end - page.addr(),
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED,
                -1,
                0,
            )
        };
        if zeros == page {
            place.lost.store(true, Ordering::SeqCst);
            ANY_LOST.store(true, Ordering::SeqCst);
            return;
        }
    }
    // Not ours: the read is repeated, and whoever was told before is told then.
    // SAFETY: it is the action that the system gave; null: what was before is of no interest.
    unsafe { libc::sigaction(libc::SIGBUS, &raw const installed.before, ptr::null_mut()) };
}

impl Place {
    fn range(&self) -> Range<usize> {
        self.start.load(Ordering::SeqCst)..self.end.load(Ordering::SeqCst)
    }
}

pub(super) fn any_lost() -> bool {
    ANY_LOST.load(Ordering::SeqCst)
}

pub(super) fn is_lost(place: usize) -> bool {
    TABLE[place].lost.load(Ordering::SeqCst)
}

pub(super) fn range(place: usize) -> Range<usize> {
    TABLE[place].range()
}

/// Puts a map at a place that is free; `None` if there is none, or no handler.
pub(super) fn watch(map: &[u8], is_free: impl Fn(usize) -> bool) -> Option<usize> {
    let installed = INSTALLED.get()?;
    let place = (0..PLACES).find(|&place| is_free(place))?;
    let start = map.as_ptr().addr();
    let Place {
        start: from,
        end,
        lost,
    } = &TABLE[place];
    lost.store(false, Ordering::SeqCst);
    from.store(start, Ordering::SeqCst);
    end.store(
        (start + map.len()).next_multiple_of(installed.page),
        Ordering::SeqCst,
    );
    Some(place)
}

pub(super) fn forget(place: usize) {
    TABLE[place].end.store(0, Ordering::SeqCst);
    TABLE[place].start.store(0, Ordering::SeqCst);
    TABLE[place].lost.store(false, Ordering::SeqCst);
}
