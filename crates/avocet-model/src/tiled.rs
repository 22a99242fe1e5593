//! Mllama's tower: a picture as up to four tiles that see one another.

use avocet_kernels::{KeyRanges, embedding};
use candle_core::{Result, Tensor, bail};

use crate::builder::Builder;
use crate::init;
use crate::input::{Images, Latents};
use crate::learned_block::{BlockShape, LearnedBlock};
use crate::norm::Norm;
use crate::projection::Projection;
use avocet_config::{NormKind, TiledVisionConfig};

const RGB: usize = 3;
/// A tile's rows are filled up to a multiple of this.
const ROWS_ALIGNED: usize = 8;

/// The vision tower of Mllama ("The Llama 3 herd of models", arXiv:2407.21783, section 7).
///
/// All tiles are computed, those a picture lacks as black ones. Rows of tiles that are there see
/// every row; the rows that fill a tile up, and those of absent tiles, see the former only. That
/// real rows also see the filling is how the public weights were trained.
#[derive(Debug, Clone)]
pub struct TiledEncoder {
    patch: Projection,
    class_token: Tensor,
    /// (P + 1, D_v)
    positions: Tensor,
    /// For each arrangement, and none, the positions of each tile's rows.
    tile_positions: Tensor,
    position_gate: Tensor,
    pre_tile: TileEmbedding,
    post_tile: TileEmbedding,
    norm_pre: Norm,
    norm_post: Norm,
    blocks: Vec<LearnedBlock>,
    global_blocks: Vec<LearnedBlock>,
    projector: Projection,
    config: TiledVisionConfig,
}

/// What is added to all rows of a tile, through a tanh gate.
#[derive(Debug, Clone)]
struct TileEmbedding {
    /// For each arrangement, and none, one vector a tile.
    table: Tensor,
    gate: Tensor,
}

impl TileEmbedding {
    fn new(config: &TiledVisionConfig, builder: Builder) -> Result<Self> {
        let shape = (config.arrangements.len() + 1, config.max_tiles * config.dim);
        Ok(Self {
            table: init::small_table(&builder, shape, "embedding")?,
            gate: init::gate(&builder, 1, 0.0, "gate")?,
        })
    }

    /// The vectors of the tiles (max_tiles, D_v) of a picture arranged as `id` says.
    fn tiles(&self, id: usize, max_tiles: usize) -> Result<Tensor> {
        let row = self.table.get(id)?;
        let dim = row.elem_count() / max_tiles;
        row.broadcast_mul(&self.gate.tanh()?)?
            .reshape((max_tiles, dim))
    }
}

/// How the rows of one picture lie: those of its tiles, those of absent tiles, the filling.
struct Rows {
    /// Rows of a tile, the class row included.
    of_tile: usize,
    /// Rows of tiles that are there.
    real: usize,
    /// Those, and the rows of absent tiles.
    known: usize,
    /// The tile of each row.
    tiles: Vec<u32>,
    ranges: KeyRanges,
}

impl Rows {
    fn new(num_tiles: usize, max_tiles: usize, of_tile: usize) -> Self {
        let filling = of_tile.next_multiple_of(ROWS_ALIGNED) - of_tile;
        let (real, known) = (num_tiles * of_tile, max_tiles * of_tile);
        let total = known + max_tiles * filling;
        let of =
            |each: usize| (0..max_tiles as u32).flat_map(move |tile| (0..each).map(move |_| tile));
        let seen = |row| (0, if row < real { total } else { real } as u32);
        Self {
            of_tile,
            real,
            known,
            tiles: of(of_tile).chain(of(filling)).collect(),
            ranges: KeyRanges::new((0..total).map(seen).collect()),
        }
    }
}

impl TiledEncoder {
    /// Makes the tower.
    pub fn new(config: &TiledVisionConfig, builder: Builder) -> Result<Self> {
        let (dim, eps) = (config.dim, config.norm_eps);
        let inputs = RGB * config.patch_size * config.patch_size;
        let rows = config.num_patches() + 1;
        let shape = |gated| BlockShape {
            dim,
            num_heads: config.num_heads,
            ff_dim: config.ff_dim,
            num_layers: config.num_layers + config.num_global_layers,
            eps,
            ff: config.ff,
            attention_bias: false,
            gated,
        };
        let blocks = |name: &str, count, gated| {
            let blocks = builder.pp(name);
            let block = |index| LearnedBlock::new(&shape(gated), blocks.pp(index));
            (0..count).map(block).collect::<Result<Vec<_>>>()
        };
        let norm = |name| Norm::new(NormKind::Layer, dim, eps, &builder, name);
        let tile_rows = (config.arrangements.len() + 1, config.max_tiles * rows * dim);
        let features = (1 + config.intermediate_layers.len()) * dim;
        Ok(Self {
            patch: Projection::new((dim, inputs), false, &builder, "patch")?,
            class_token: init::positions(&builder, (1, dim), "class_token")?,
            positions: init::positions(&builder, (rows, dim), "positions")?,
            tile_positions: init::positions(&builder, tile_rows, "tile_positions")?,
            position_gate: init::gate(&builder, 1, 0.0, "position_gate")?,
            pre_tile: TileEmbedding::new(config, builder.pp("pre_tile"))?,
            post_tile: TileEmbedding::new(config, builder.pp("post_tile"))?,
            norm_pre: norm("norm_pre")?,
            norm_post: norm("norm_post")?,
            blocks: blocks("blocks", config.num_layers, false)?,
            global_blocks: blocks("global_blocks", config.num_global_layers, true)?,
            projector: Projection::new((config.output_dim, features), true, &builder, "projector")?,
            config: config.clone(),
        })
    }

    /// Maps images, whose patches lie tile after tile, to rows of width `output_dim`: a class row
    /// and one a patch for each tile. The rows of absent tiles are their padding.
    ///
    /// Errors if an image is not made of whole tiles in a known arrangement.
    pub fn forward(&self, images: &Images) -> Result<Latents> {
        let (mut seen, mut padding) = (Vec::new(), Vec::new());
        let (mut offsets, mut sizes) = (vec![0], Vec::new());
        let mut start = 0;
        for &(rows, cols) in &images.grids {
            let patches = images.patches.narrow(0, start, rows * cols)?;
            start += rows * cols;
            let (out, real) = self.picture(&patches, (rows, cols))?;
            let absent = out.dim(0)? - real;
            seen.push(out.narrow(0, 0, real)?);
            padding.push(out.narrow(0, real, absent)?);
            offsets.push(offsets[offsets.len() - 1] + real);
            sizes.push(absent);
        }
        let mut ends = vec![offsets[offsets.len() - 1]];
        for size in sizes {
            ends.push(ends[ends.len() - 1] + size);
        }
        seen.extend(padding.into_iter().filter(|rows| rows.dims()[0] > 0));
        Ok(Latents {
            rows: Tensor::cat(&seen, 0)?,
            offsets,
            padding: ends,
        })
    }

    /// The rows of one picture, those of absent tiles last, and how many come before those.
    fn picture(&self, patches: &Tensor, grid: (usize, usize)) -> Result<(Tensor, usize)> {
        let config = &self.config;
        let side = config.image_size / config.patch_size;
        let arrangement = (grid.0 / side, grid.1 / side);
        let place = config.arrangements.iter().position(|a| *a == arrangement);
        let Some(place) =
            place.filter(|_| grid.0.is_multiple_of(side) && grid.1.is_multiple_of(side))
        else {
            bail!(
                "an image of {} x {} patches is no known arrangement of tiles of {side} x {side}",
                grid.0,
                grid.1
            );
        };
        let id = place + 1;
        let num_tiles = arrangement.0 * arrangement.1;
        let (max_tiles, num_patches, dim) = (config.max_tiles, config.num_patches(), config.dim);
        let rows = Rows::new(num_tiles, max_tiles, num_patches + 1);

        let mut x = self.patch.forward(patches)?; // (tiles * P, D_v)
        if num_tiles < max_tiles {
            let black = ((max_tiles - num_tiles) * num_patches, dim);
            let black = Tensor::zeros(black, x.dtype(), x.device())?;
            x = Tensor::cat(&[x, black], 0)?;
        }
        let pre = self.pre_tile.tiles(id, max_tiles)?.unsqueeze(1)?; // (tiles, 1, D_v)
        let x = x
            .reshape((max_tiles, num_patches, dim))?
            .broadcast_add(&pre)?;
        let class = self.class_token.unsqueeze(0)?.expand((max_tiles, 1, dim))?;
        let x = Tensor::cat(&[class, x], 1)?; // (tiles, P + 1, D_v)
        let gate = self.position_gate.tanh()?;
        let shared = self.positions.broadcast_mul(&gate.affine(-1.0, 1.0)?)?;
        let own = self.tile_positions.get(id)?.broadcast_mul(&gate)?;
        let own = own.reshape((max_tiles, rows.of_tile, dim))?;
        let x = (x.broadcast_add(&shared)? + own)?.reshape((rows.known, dim))?;
        let x = self.norm_pre.forward(&x)?;
        let filling = (rows.tiles.len() - rows.known, dim);
        let mut x = Tensor::cat(&[&x, &Tensor::zeros(filling, x.dtype(), x.device())?], 0)?;

        let mut entering = Vec::with_capacity(config.intermediate_layers.len());
        for (index, block) in self.blocks.iter().enumerate() {
            if config.intermediate_layers.contains(&index) {
                entering.push(x.narrow(0, 0, rows.known)?);
            }
            x = block.forward(&x, &rows.ranges)?;
        }
        x = self.norm_post.forward(&x)?;
        x = (x + embedding(&self.post_tile.tiles(id, max_tiles)?, &rows.tiles)?)?;
        for block in &self.global_blocks {
            x = block.forward(&x, &rows.ranges)?;
        }
        let mut features = x.narrow(0, 0, rows.known)?; // (tiles * (P + 1), D_v)
        if !entering.is_empty() {
            // The states lie side by side within a channel.
            let entering = Tensor::stack(&entering, 2)?.flatten_from(1)?;
            features = Tensor::cat(&[features, entering], 1)?;
        }
        Ok((self.projector.forward(&features)?, rows.real))
    }
}
