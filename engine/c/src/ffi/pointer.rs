//! Pointers to references and back, and the guard that no panic passes.
//!
//! "The header's rules" in what follows: pointers are NULL or valid, for as many elements as is said and for the call.

use super::status::{FIDELIS_NUL_ENDED, FIDELIS_PANICKED, FIDELIS_TOO_SMALL};
use super::status::{fidelis_error, fidelis_status};
use crate::failure::Failure;
use std::any::Any;
use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`; a failure and a panic become a status, and a message in `error`.
pub(super) fn guard(
    error: *mut fidelis_error,
    body: impl FnOnce() -> Result<(), Failure>,
) -> fidelis_status {
    // What a panic leaves half done is behind a lock that it poisons.
    let said = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => fidelis_error::ok(),
        Ok(Err(failure)) => fidelis_error::of(&failure),
        Err(panic) => {
            let text = format!("the library failed within: {}", spoken(&*panic));
            discard(panic);
            fidelis_error::of(&Failure::new(FIDELIS_PANICKED, text))
        }
    };
    if !error.is_null() && error.is_aligned() {
        // SAFETY: not null, aligned, and the caller's by the header's rules.
        unsafe { error.write(said) };
    }
    said.status
}

/// Runs `body` where there is no status to give; nothing is what a panic gives.
pub(super) fn quietly<T>(body: impl FnOnce() -> Option<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        discard(panic);
        None
    })
}

/// Drops a panic's value, which may panic once more; what that leaves is not touched again.
fn discard(panic: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(again);
    }
}

fn spoken(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("for a reason that is no text")
}

fn check<T>(pointer: *const T, what: &str) -> Result<(), Failure> {
    if pointer.is_null() {
        return Err(Failure::invalid(format!("{what} is NULL")));
    }
    if !pointer.is_aligned() {
        return Err(Failure::invalid(format!("{what} is not aligned")));
    }
    Ok(())
}

/// The one that `pointer` points to.
///
/// # Safety
///
/// The header's rules; nobody writes to it within the call.
pub(super) unsafe fn one<'a, T>(pointer: *const T, what: &str) -> Result<&'a T, Failure> {
    check(pointer, what)?;
    // SAFETY: not null, aligned, and the caller's promise.
    Ok(unsafe { &*pointer })
}

/// Puts a result where the caller wants it.
///
/// # Safety
///
/// The header's rules.
pub(super) unsafe fn put<T>(to: *mut T, value: T, what: &str) -> Result<(), Failure> {
    check(to, what)?;
    // SAFETY: not null, aligned, and the caller's promise.
    unsafe { to.write(value) };
    Ok(())
}

/// `count` elements; none if the count is 0.
///
/// # Safety
///
/// The header's rules; nobody writes to them within the call.
pub(super) unsafe fn elements<'a, T>(
    pointer: *const T,
    count: usize,
    what: &str,
) -> Result<&'a [T], Failure> {
    if count == 0 {
        return Ok(&[]);
    }
    check(pointer, what)?;
    if count > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Failure::invalid(format!(
            "{what} cannot have {count} elements"
        )));
    }
    // SAFETY: not null, aligned, of a possible size, and the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(pointer, count) })
}

/// A text of `length` bytes, or that ends with NUL.
///
/// # Safety
///
/// The header's rules.
pub(super) unsafe fn text<'a>(
    pointer: *const c_char,
    length: usize,
    what: &str,
) -> Result<&'a str, Failure> {
    let bytes = if length == FIDELIS_NUL_ENDED {
        check(pointer, what)?;
        // SAFETY: not null, and it ends with NUL by the header's rules.
        unsafe { CStr::from_ptr(pointer) }.to_bytes()
    } else {
        // SAFETY: so many bytes by the header's rules.
        unsafe { elements(pointer.cast::<u8>(), length, what) }?
    };
    std::str::from_utf8(bytes).map_err(|error| {
        Failure::invalid(format!(
            "{what} is not UTF-8 from byte {} on",
            error.valid_up_to()
        ))
    })
}

/// The one that `pointer` points to; NULL is none.
///
/// # Safety
///
/// As for [`one`].
pub(super) unsafe fn optional_one<'a, T>(
    pointer: *const T,
    what: &str,
) -> Result<Option<&'a T>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { one(pointer, what) }.map(Some)
}

/// A text that ends with NUL; NULL is none.
///
/// # Safety
///
/// The header's rules.
pub(super) unsafe fn optional<'a>(
    pointer: *const c_char,
    what: &str,
) -> Result<Option<&'a str>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { text(pointer, FIDELIS_NUL_ENDED, what) }.map(Some)
}

/// Texts that end with NUL.
///
/// # Safety
///
/// The header's rules.
pub(super) unsafe fn texts(
    pointer: *const *const c_char,
    count: usize,
    what: &str,
) -> Result<Vec<String>, Failure> {
    // SAFETY: the caller's promise.
    let pointers = unsafe { elements(pointer, count, what) }?;
    let one = |&pointer: &*const c_char| {
        // SAFETY: the caller's promise.
        unsafe { text(pointer, FIDELIS_NUL_ENDED, what) }.map(str::to_owned)
    };
    pointers.iter().map(one).collect()
}

/// Writes `values` to a buffer of `capacity` elements and says how many there are; `behind` more elements are written after them, uncounted.
///
/// # Safety
///
/// The header's rules; the buffer overlaps nothing else that the call uses.
pub(super) unsafe fn give<T: Copy>(
    values: &[T],
    behind: &[T],
    buffer: *mut T,
    capacity: usize,
    count: *mut usize,
) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    unsafe { put(count, values.len(), "the place for the length") }?;
    if capacity == 0 {
        return Ok(());
    }
    check(buffer, "the buffer")?;
    let needed = values.len() + behind.len();
    if needed > capacity {
        return Err(Failure::new(
            FIDELIS_TOO_SMALL,
            format!("the buffer holds {capacity}, but {needed} are needed"),
        ));
    }
    // SAFETY: the buffer is not null, aligned, holds as many by the check, and is nobody else's by the caller's promise.
    unsafe {
        buffer.copy_from_nonoverlapping(values.as_ptr(), values.len());
        buffer
            .add(values.len())
            .copy_from_nonoverlapping(behind.as_ptr(), behind.len());
    }
    Ok(())
}

/// The same for a text, with a NUL behind it.
///
/// # Safety
///
/// As for [`give`].
pub(super) unsafe fn give_text(
    text: &[u8],
    buffer: *mut c_char,
    capacity: usize,
    length: *mut usize,
) -> Result<(), Failure> {
    // SAFETY: the caller's promise; bytes and characters have one layout.
    unsafe { give(text, &[0], buffer.cast::<u8>(), capacity, length) }
}

/// Hands an object over, to be taken back by [`take`].
///
/// # Safety
///
/// The header's rules.
pub(super) unsafe fn hand_over<T>(
    to: *mut *mut T,
    make: impl FnOnce() -> Result<T, Failure>,
) -> Result<(), Failure> {
    // Nothing may be lost because there is no place for it.
    // SAFETY: the caller's promise.
    unsafe { put(to, std::ptr::null_mut(), "the place for the result") }?;
    let object = Box::into_raw(Box::new(make()?));
    // SAFETY: the caller's promise.
    unsafe { put(to, object, "the place for the result") }
}

/// Takes an object back and drops it; NULL does nothing.
///
/// # Safety
///
/// It comes from [`hand_over`] and was not taken back before.
pub(super) unsafe fn take<T>(object: *mut T) {
    quietly(|| {
        if object.is_null() || !object.is_aligned() {
            return None;
        }
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(object) });
        Some(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FIDELIS_OK;

    #[test]
    fn a_panic_becomes_a_status_with_its_words() {
        let mut error = fidelis_error::ok();
        let status = guard(&raw mut error, || panic!("seven of {}", 9));
        assert_eq!(status, FIDELIS_PANICKED);
        assert_eq!(error.status, FIDELIS_PANICKED);
        assert_eq!(error.text(), "the library failed within: seven of 9");
        assert_eq!(
            guard(std::ptr::null_mut(), || panic!("unheard")),
            FIDELIS_PANICKED
        );
        assert_eq!(guard(&raw mut error, || Ok(())), FIDELIS_OK);
        assert_eq!(error.text(), "");
        assert_eq!(quietly::<u8>(|| panic!("nothing")), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "what the second panic leaves is leaked")]
    fn a_panic_whose_value_panics_when_it_is_dropped_goes_no_further() {
        struct Trap;
        impl Drop for Trap {
            fn drop(&mut self) {
                panic!("once more");
            }
        }
        let mut error = fidelis_error::ok();
        let status = guard(&raw mut error, || std::panic::panic_any(Trap));
        assert_eq!(status, FIDELIS_PANICKED);
        assert_eq!(
            error.text(),
            "the library failed within: for a reason that is no text"
        );
    }
}
