//! What wgpu calls unsafe.

/// Permission for features whose names may change.
pub(crate) fn experiments() -> wgpu::ExperimentalFeatures {
    // SAFETY: the one such feature in use is cooperative matrices, with sizes that the adapter reports.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

/// A kernel without the checks that wgpu adds to loops and indices.
pub(crate) fn unchecked(
    device: &wgpu::Device,
    descriptor: wgpu::ShaderModuleDescriptor<'_>,
) -> wgpu::ShaderModule {
    let checks = wgpu::ShaderRuntimeChecks::unchecked();
    // SAFETY: kernels are this crate's; their loops end at constants, their indices stay below the sizes that the plan gave
    // their buffers.
    unsafe { device.create_shader_module_trusted(descriptor, checks) }
}
