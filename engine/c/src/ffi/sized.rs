//! Structures that grow: each begins with its own size.

use super::pointer;
use crate::failure::Failure;

/// A structure of settings.
///
/// # Safety
///
/// It is `repr(C)`, begins with a `u32` that holds its size, has no padding, and any bytes are a valid value.
pub(super) unsafe trait Growing: Copy {}

/// More than this is a size that nobody meant.
const MOST: usize = 4096;

/// The size that a structure says it has.
///
/// # Safety
///
/// The header's rules: NULL, or a structure of the size that it says.
unsafe fn size<T: Growing>(pointer: *const T, what: &str) -> Result<usize, Failure> {
    // SAFETY: the size comes first, whatever the version.
    let size = *unsafe { pointer::one(pointer.cast::<u32>(), what) }? as usize;
    if !pointer.is_aligned() {
        return Err(Failure::invalid(format!("{what} is not aligned")));
    }
    // A field is not cut: each is as long as the alignment or half of that, in pairs.
    if size < size_of::<u32>() || size > MOST || !size.is_multiple_of(align_of::<T>()) {
        return Err(Failure::invalid(format!(
            "struct_size of {what} is {size}; this library's is {}",
            size_of::<T>()
        )));
    }
    Ok(size)
}

/// The settings at `pointer`, with `default` for what the caller's version does not have.
///
/// # Safety
///
/// As for [`size`].
pub(super) unsafe fn read<T: Growing>(
    pointer: *const T,
    default: T,
    what: &str,
) -> Result<T, Failure> {
    if pointer.is_null() {
        return Ok(default);
    }
    // SAFETY: the caller's promise.
    let size = unsafe { size(pointer, what) }?;
    let known = size.min(size_of::<T>());
    let bytes = pointer.cast::<u8>();
    // SAFETY: the structure is as long as it says, and `known` is no more than that.
    let more = unsafe { pointer::elements(bytes.add(known), size - known, what) }?;
    if more.iter().any(|&byte| byte != 0) {
        return Err(Failure::invalid(format!(
            "{what} has settings that this library is too old for"
        )));
    }
    let mut settings = default;
    // SAFETY: `known` bytes are there on both sides, and any bytes are a valid `T`.
    unsafe {
        (&raw mut settings)
            .cast::<u8>()
            .copy_from_nonoverlapping(bytes, known);
    }
    Ok(settings)
}

/// Writes as much of `value` as the caller's structure has room for; its size stays what it says.
///
/// # Safety
///
/// As for [`size`]; the structure may be written.
pub(super) unsafe fn write<T: Growing>(
    pointer: *mut T,
    value: T,
    what: &str,
) -> Result<(), Failure> {
    // SAFETY: the caller's promise.
    let size = unsafe { size(pointer.cast_const(), what) }?;
    let skip = size_of::<u32>();
    let known = size.min(size_of::<T>()) - skip;
    let bytes = pointer.cast::<u8>();
    // SAFETY: both structures have so many bytes behind the size; `T` has no padding.
    unsafe {
        let from = (&raw const value).cast::<u8>().add(skip);
        bytes.add(skip).copy_from_nonoverlapping(from, known);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C, align(8))]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Old {
        struct_size: u32,
        a: u32,
    }

    #[repr(C, align(8))]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct New {
        struct_size: u32,
        a: u32,
        b: u64,
    }

    // SAFETY: numbers without padding, the size first.
    unsafe impl Growing for Old {}
    // SAFETY: numbers without padding, the size first.
    unsafe impl Growing for New {}

    const OLD: Old = Old {
        struct_size: 8,
        a: 1,
    };
    const NEW: New = New {
        struct_size: 16,
        a: 2,
        b: 3,
    };

    #[test]
    fn a_callers_older_and_newer_structures_are_read() {
        let (old, new) = (OLD, NEW);
        // SAFETY: each structure has the size that it says.
        unsafe {
            assert_eq!(read(std::ptr::null(), NEW, "it").expect("defaults"), NEW);
            let read_old = read((&raw const old).cast::<New>(), NEW, "it").expect("older");
            assert_eq!((read_old.a, read_old.b), (1, 3));
            let said = read((&raw const new).cast::<Old>(), OLD, "it").expect_err("unknown");
            assert_eq!(
                said.text,
                "it has settings that this library is too old for"
            );
            let unset = New { b: 0, ..NEW };
            assert_eq!(
                read((&raw const unset).cast(), OLD, "it").expect("newer").a,
                2
            );
        }
    }

    #[test]
    fn a_size_that_makes_no_sense_is_refused() {
        for struct_size in [0, 3, 7, 9, 12, 4104, u32::MAX] {
            let wrong = New { struct_size, ..NEW };
            // SAFETY: nothing is read when the size is refused.
            let said = unsafe { read(&raw const wrong, NEW, "it") }.expect_err("nonsense");
            let wanted = format!("struct_size of it is {struct_size}; this library's is 16");
            assert_eq!(said.text, wanted);
        }
    }

    #[test]
    fn no_more_is_written_than_the_caller_has() {
        let mut memory = [OLD, OLD];
        // SAFETY: the structure has the size that it says.
        unsafe { write((&raw mut memory[0]).cast(), NEW, "it") }.expect("written");
        assert_eq!(memory, [Old { a: 2, ..OLD }, OLD]);
    }
}
