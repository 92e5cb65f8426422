//! Devices, what they are like, and what a plan on one is.

use crate::status::Text;
use core::marker::{PhantomData, PhantomPinned};

/// An open device; opaque.
#[derive(Debug)]
pub struct Device(PhantomData<(*mut u8, PhantomPinned)>);

/// A model ready to run on a device; opaque.
#[derive(Debug)]
pub struct Plan(PhantomData<(*mut u8, PhantomPinned)>);

/// What a device is.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceKind(pub u32);

impl DeviceKind {
    /// Not known.
    pub const OTHER: Self = Self(0);
    /// A GPU with memory of its own.
    pub const DISCRETE: Self = Self(1);
    /// A GPU that shares the CPU's memory.
    pub const INTEGRATED: Self = Self(2);
    /// A part of a GPU, behind a virtual machine.
    pub const VIRTUAL: Self = Self(3);
    /// The CPU, playing a GPU.
    pub const SOFTWARE: Self = Self(4);
}

/// A device that could be opened. Limits that do not apply or are not known are 0.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What it is.
    pub kind: DeviceKind,
    /// The vendor's PCI number.
    pub vendor: u32,
    /// The device's PCI number.
    pub device: u32,
    /// Threads of a subgroup, at least.
    pub subgroup_least: u32,
    /// Threads of a subgroup, at most.
    pub subgroup_most: u32,
    /// Threads of a workgroup, at most.
    pub workgroup_threads: u32,
    /// Bytes of memory that a workgroup shares.
    pub workgroup_bytes: u32,
    /// Zero.
    pub reserved: u32,
    /// Bytes of memory in all.
    pub memory: u64,
    /// Bytes of one buffer, at most.
    pub buffer_bytes: u64,
    /// Bytes of a buffer that a shader sees at once, at most.
    pub binding_bytes: u64,
    /// The device's name.
    pub name: Text,
    /// The driver's name and version.
    pub driver: Text,
    /// The programming interface, such as `Vulkan`.
    pub interface: Text,
    /// Features that the plug-in would use, separated by commas.
    pub features: Text,
}

impl DeviceInfo {
    /// Nothing known.
    pub const fn empty() -> Self {
        Self {
            kind: DeviceKind::OTHER,
            vendor: 0,
            device: 0,
            subgroup_least: 0,
            subgroup_most: 0,
            workgroup_threads: 0,
            workgroup_bytes: 0,
            reserved: 0,
            memory: 0,
            buffer_bytes: 0,
            binding_bytes: 0,
            name: Text::empty(),
            driver: Text::empty(),
            interface: Text::empty(),
            features: Text::empty(),
        }
    }
}

/// Bytes of memory, of a device or for a model; 0: unknown.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// The device's memory.
    pub total: u64,
    /// What of it can be had, this plug-in's own included.
    pub available: u64,
    /// For weights: those that are uploaded, or, from [`crate::Api::supports`], would be.
    pub weights: u64,
    /// For keys, values and intermediates: of the plans that are there, or, from [`crate::Api::supports`], of the one described.
    pub plans: u64,
}

/// What is known of a plan once it is made.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// Bytes of its keys, values and intermediates.
    pub bytes: u64,
    /// A cache with a window holds that many positions behind the newest beyond its window, at least: after `most`
    /// positions a step may begin at any position `p` with `p + 1 + spare >= most`. `u32::MAX`: at any. Here `most` is the end of
    /// the furthest step since the last one at position 0: going back does not bring back what was overwritten.
    ///
    /// Steps of a plan without windows, steps at position 0, and steps while `most` is not above the smallest window plus
    /// `spare` may begin anywhere up to where the last one ended. One that begins where the last one ended always may.
    pub spare: u32,
    /// Zero.
    pub reserved: u32,
}

/// Which of the engine's tiers numbers are held in.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tier(pub u32);

impl Tier {
    /// In a [`crate::Description`]: the plug-in chooses.
    pub const ANY: Self = Self(0);
    /// Integer weights as stored times bytes: activations are rounded to signed bytes with one scale per 32 values,
    /// `scale = max |x| / 127`; a product's sums within a group of 32 are exact.
    pub const FAST: Self = Self(1);
    /// Weights decoded to 32-bit floats; activations as [`Profile::decode`] and [`Profile::prefill`] say.
    pub const F32: Self = Self(2);
}

/// How the activations that a matrix product reads are rounded.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inputs(pub u32);

impl Inputs {
    /// Not at all: 32-bit floats.
    pub const F32: Self = Self(0);
    /// To 16-bit floats, 11 bits of significand.
    pub const F16: Self = Self(1);
    /// To signed bytes, `max |x| / 127` for every 32.
    pub const BYTES: Self = Self(2);
    /// To two signed bytes, `256 high + low`, `max |x| / 32767` for every 32 or finer.
    pub const WORDS: Self = Self(3);
}

/// What a plan's numbers mean: enough to derive a bound for its error.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The tier whose meaning products with integer formats have. Never [`Tier::ANY`].
    pub tier: Tier,
    /// How products round what they read, for steps of few tokens.
    pub decode: Inputs,
    /// How products round what they read, for the other steps.
    pub prefill: Inputs,
    /// Steps of so many tokens and more are the other steps; `u32::MAX`: none is.
    pub prefill_from: u32,
    /// A sum of floats has at most that many additions in a row before it is joined with others, for rows of 4096;
    /// what an error bound may take as the length of a sum. 0: as many as the row has elements.
    pub chain: u32,
    /// Any of [`Self::CONTRACTS`], [`Self::FLUSHES`] and [`Self::SAME_BITS`].
    pub flags: u32,
    /// The same for people, one line.
    pub text: Text,
}

impl Profile {
    /// A product and a sum may be fused into one rounding.
    pub const CONTRACTS: u32 = 1;
    /// Subnormal floats may become zero.
    pub const FLUSHES: u32 = 2;
    /// Logits are the bits of the CPU's tier.
    pub const SAME_BITS: u32 = 4;

    /// 32-bit floats throughout.
    pub const fn empty() -> Self {
        Self {
            tier: Tier::F32,
            decode: Inputs::F32,
            prefill: Inputs::F32,
            prefill_from: u32::MAX,
            chain: 0,
            flags: 0,
            text: Text::empty(),
        }
    }
}

const _: () = {
    assert!(size_of::<Device>() == 0);
    assert!(size_of::<DeviceInfo>() == 8 * 4 + 3 * 8 + 4 * 512);
    assert!(size_of::<Memory>() == 32);
    assert!(size_of::<Planned>() == 16);
    assert!(size_of::<Profile>() == 24 + 512);
};
