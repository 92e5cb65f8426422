//! Weights on their way to a device.

use super::OpenDevice;
use crate::backend::offload::error::{OffloadError, Place};
use crate::backend::offload::translate::{Part, weight};
use fidelis_abi::Message;
use std::ptr;

/// Bytes that are uploaded at once, so that progress shows.
const PIECE: usize = 16 << 20;

impl OpenDevice {
    /// Uploads the weights of a part and gives their ids; after an error none are left.
    pub(in crate::backend::offload) fn upload(
        &mut self,
        part: &Part<'_, '_>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Vec<u64>, OffloadError> {
        self.ready()?;
        let (mut ids, total, mut done) = (Vec::new(), part.bytes(), 0);
        progress(0, total);
        for tensor in &part.tensors {
            let uploaded = self.weight(tensor).and_then(|id| {
                ids.push(id);
                self.rows(tensor, id, &mut |bytes| {
                    done += bytes;
                    progress(done, total);
                })
            });
            if let Err(error) = uploaded {
                self.drop_weights(&ids);
                return Err(error);
            }
        }
        Ok(ids)
    }

    /// Makes room for a weight.
    fn weight(&mut self, tensor: &crate::tensor::Tensor<'_>) -> Result<u64, OffloadError> {
        let record = weight(tensor, 0);
        let (mut id, mut message) = (0, Message::empty());
        // SAFETY: the device is open, and everything else is ours.
        let status = unsafe {
            (self.api.weight)(
                self.device.as_ptr(),
                &raw const record,
                &raw mut id,
                &raw mut message,
            )
        };
        let place = Place {
            what: format!("{} of {}", tensor.format, tensor.shape),
            checkpoint: tensor.name.to_owned(),
        };
        // Whatever operation the plug-in names, there is one weight in question.
        message.op = 0;
        self.checked("weight", status, &message, &[place])?;
        Ok(id)
    }

    /// Uploads a weight's rows in pieces; `sent` is told their bytes.
    fn rows(
        &mut self,
        tensor: &crate::tensor::Tensor<'_>,
        id: u64,
        sent: &mut dyn FnMut(u64),
    ) -> Result<(), OffloadError> {
        let row = tensor.row_bytes().max(1);
        let piece = (PIECE / row).max(1);
        let mut first = 0;
        for bytes in tensor.bytes.chunks(piece * row) {
            let rows = (bytes.len() / row) as u64;
            let mut message = Message::empty();
            // SAFETY: the device is open, and the bytes are borrowed through the call.
            let status = unsafe {
                (self.api.upload)(
                    self.device.as_ptr(),
                    id,
                    first,
                    rows,
                    bytes.as_ptr(),
                    bytes.len() as u64,
                    &raw mut message,
                )
            };
            self.checked("upload", status, &message, &[])?;
            first += rows;
            sent(bytes.len() as u64);
        }
        Ok(())
    }

    /// Frees weights that no plan uses.
    pub(in crate::backend::offload) fn drop_weights(&mut self, ids: &[u64]) {
        for &id in ids {
            // SAFETY: the device is open, and no plan uses the weight; the message may be null.
            let _ = unsafe { (self.api.drop_weight)(self.device.as_ptr(), id, ptr::null_mut()) };
        }
    }
}
