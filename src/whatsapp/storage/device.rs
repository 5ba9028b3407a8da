//! `DeviceStore`: the one device, with its own keys and its account.

use async_trait::async_trait;
use whatsapp_rust::wacore::store::Device;
use whatsapp_rust::wacore::store::traits::DeviceStore;

use super::{Result, SessionBackend, from_json, key, read_error, to_json};
use crate::store::Batch;

const DEVICE: &str = "device";
/// One state directory, one device.
const DEVICE_ID: i32 = 1;

impl SessionBackend {
    pub(super) fn device(&self) -> Result<Option<Device>> {
        let Some(bytes) = self.read(&key(DEVICE, &[]))? else { return Ok(None) };
        from_json(&bytes).map(Some).map_err(read_error)
    }

    /// On disk when it resolves.
    pub(crate) async fn put_device(&self, device: &Device) -> Result<()> {
        self.put(key(DEVICE, &[]), to_json(device)?).await
    }
}

#[async_trait]
impl DeviceStore for SessionBackend {
    async fn save(&self, device: &Device) -> Result<()> {
        #[cfg(test)]
        if device.is_registered() && self.loses_saves.load(std::sync::atomic::Ordering::Acquire) {
            return Ok(());
        }
        self.put_device(device).await
    }

    async fn load(&self) -> Result<Option<Device>> {
        self.device()
    }

    async fn exists(&self) -> Result<bool> {
        Ok(self.read(&key(DEVICE, &[]))?.is_some())
    }

    async fn create(&self) -> Result<i32> {
        let fresh = to_json(&Device::new())?;
        self.change(move |view| {
            let mut batch = Batch::new();
            if view.get(&key(DEVICE, &[]))?.is_none() {
                batch.put(key(DEVICE, &[]), fresh);
            }
            Ok((batch, DEVICE_ID))
        })
        .await
    }
}
