//! What wgpu calls unsafe, with what is trusted and why.

/// A kernel without the checks that wgpu adds to loops and indices, which take a third of a token's time.
pub(crate) fn unchecked(
    device: &wgpu::Device,
    descriptor: wgpu::ShaderModuleDescriptor<'_>,
) -> wgpu::ShaderModule {
    let checks = wgpu::ShaderRuntimeChecks::unchecked();
    // SAFETY: kernels are this crate's. Their loops end at constants or at the step's sizes; their indices follow from the workgroup, from
    // the step, which is checked against the plan before it is sent, and from token ids, which are below the
    // vocabulary: the host's are checked, the device's come from rows of that length. No index comes from a float or a weight.
    unsafe { device.create_shader_module_trusted(descriptor, checks) }
}

/// The driver's cache of compiled kernels, with what an earlier process kept.
pub(crate) fn pipelines(device: &wgpu::Device, data: Option<&[u8]>) -> wgpu::PipelineCache {
    let descriptor = wgpu::PipelineCacheDescriptor {
        label: Some("fidelis"),
        data,
        fallback: true,
    };
    // SAFETY: the data lies behind its digest in the user's own folder, where `Store` alone writes what such a cache gave; wgpu refuses
    // another adapter's and another driver's.
    unsafe { device.create_pipeline_cache(&descriptor) }
}
