//! The decoder's key/value cache: written in place, grown by doubling, never copied per step.

use candle_core::{DType, Device, Result, Tensor, bail};

use avocet_config::DecoderConfig;

/// Keys and values of one text, for every decoder layer.
#[derive(Debug)]
pub struct Cache {
    pub(crate) layers: Vec<LayerCache>,
    len: usize,
    capacity: usize,
    max_context: usize,
}

impl Cache {
    pub(crate) fn new(config: &DecoderConfig, capacity: usize, device: &Device) -> Result<Self> {
        let capacity = capacity.clamp(1, config.max_context);
        let shape = (capacity, config.num_kv_heads, config.head_dim);
        let layer = || {
            Ok(LayerCache {
                key: Tensor::zeros(shape, DType::F32, device)?,
                value: Tensor::zeros(shape, DType::F32, device)?,
                load: vec![0; config.moe.as_ref().map_or(0, |moe| moe.num_experts)],
            })
        };
        let layers = (0..config.num_layers)
            .map(|_| layer())
            .collect::<Result<_>>()?;
        Ok(Self {
            layers,
            len: 0,
            capacity,
            max_context: config.max_context,
        })
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no token is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tokens that can still be added before the context is full.
    pub fn room(&self) -> usize {
        self.max_context - self.len
    }

    /// Forgets all but the first `len` tokens. More than are held changes nothing.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Bytes the keys and values occupy.
    pub fn num_bytes(&self) -> usize {
        let elements = |layer: &LayerCache| layer.key.elem_count() + layer.value.elem_count();
        self.layers.iter().map(elements).sum::<usize>() * DType::F32.size_in_bytes()
    }

    /// Tokens each expert of each layer has taken through this cache.
    pub fn expert_load(&self) -> Vec<&[u64]> {
        self.layers
            .iter()
            .map(|layer| layer.load.as_slice())
            .collect()
    }

    /// Makes room for `n` more tokens.
    ///
    /// Errors if the context cannot hold them.
    pub(crate) fn reserve(&mut self, n: usize) -> Result<()> {
        if n > self.room() {
            bail!(
                "{n} tokens after {} do not fit the context, which holds {}",
                self.len,
                self.max_context
            );
        }
        if self.len + n <= self.capacity {
            return Ok(());
        }
        let capacity = (self.capacity * 2).max(self.len + n).min(self.max_context);
        for layer in &mut self.layers {
            layer.key = grown(&layer.key, self.len, capacity)?;
            layer.value = grown(&layer.value, self.len, capacity)?;
        }
        self.capacity = capacity;
        Ok(())
    }

    pub(crate) fn advance(&mut self, n: usize) {
        self.len += n;
    }
}

fn grown(old: &Tensor, len: usize, capacity: usize) -> Result<Tensor> {
    let (_, heads, head_dim) = old.dims3()?;
    let new = Tensor::zeros((capacity, heads, head_dim), old.dtype(), old.device())?;
    if len > 0 {
        new.slice_set(&old.narrow(0, 0, len)?, 0, 0)?;
    }
    Ok(new)
}

/// Keys and values (capacity, KV, K) of one layer.
#[derive(Debug)]
pub(crate) struct LayerCache {
    key: Tensor,
    value: Tensor,
    load: Vec<u64>,
}

impl LayerCache {
    /// Writes new rows (n, KV, K) behind the `past` held ones and gives back all (past + n, KV, K).
    pub(crate) fn append(
        &mut self,
        key: &Tensor,
        value: &Tensor,
        past: usize,
    ) -> Result<(Tensor, Tensor)> {
        let (n, _, _) = key.dims3()?;
        self.key.slice_set(&key.contiguous()?, 0, past)?;
        self.value.slice_set(&value.contiguous()?, 0, past)?;
        Ok((
            self.key.narrow(0, 0, past + n)?,
            self.value.narrow(0, 0, past + n)?,
        ))
    }

    pub(crate) fn count(&mut self, load: &[u32]) {
        for (total, &tokens) in self.load.iter_mut().zip(load) {
            *total += u64::from(tokens);
        }
    }
}
