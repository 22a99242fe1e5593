//! `avocet bench --family`: a random model is made, measured and reported.

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{fails, path, succeeds};

/// Every part that the bench measures, small.
const CONFIG: &str = r#"
name = "measured"

[decoder]
vocab_size = 2048
dim = 32
num_layers = 2
num_heads = 4
num_kv_heads = 2
head_dim = 8
rope_theta = 10000.0
max_context = 64
norm_eps = 1e-5
tied_embeddings = false

[decoder.moe]
num_experts = 4
top_k = 2
expert_dim = 16

[cross_attention]
before = [1]
num_heads = 4
num_kv_heads = 2
head_dim = 8
ff_dim = 32
initial_gate = 0.5

[clip]
image_size = 28
patch_size = 14
dim = 32
num_layers = 2
num_heads = 2
ff_dim = 64
norm_eps = 1e-5
ff = "quick_gelu"
class_token = true
pre_norm = true
"#;

#[test]
fn a_random_model_of_a_configuration_is_measured_as_a_family_is() -> Result<()> {
    let folder = TempDir::new()?;
    let config = path(&folder, "measured.toml");
    std::fs::write(&config, CONFIG)?;
    let said = succeeds(["bench", "--json", "--family", &config])?;
    let report: Value = serde_json::from_str(&said)?;
    let families = report["families"].as_array().context("a list")?;
    assert_eq!(families.len(), 1);
    let family = &families[0];
    assert_eq!(family["family"], "measured");
    assert_eq!(family["prompt_tokens"], 64);
    let number = |value: &Value| value.as_f64().filter(|number| *number > 0.0);
    for name in [
        "parameters",
        "active_parameters",
        "weights_mb",
        "load_ms",
        "product_peak_gflops",
        "bandwidth_gb_per_s",
    ] {
        assert!(number(&family[name]).is_some(), "{name}: {family}");
    }
    assert!(family["active_parameters"].as_u64() < family["parameters"].as_u64());
    for (part, figures) in [
        ("vision", ["images_per_s", "limit_images_per_s"]),
        ("prefill", ["tokens_per_s", "limit_tokens_per_s"]),
        ("decode", ["tokens_per_s", "limit_tokens_per_s"]),
    ] {
        for figure in figures {
            assert!(number(&family[part][figure]).is_some(), "{part}: {family}");
        }
    }
    if cfg!(target_os = "linux") {
        assert!(number(&family["peak_rss_mib"]).is_some(), "{family}");
    }
    Ok(())
}

#[test]
fn a_family_that_is_unknown_or_unreadable_is_refused_in_one_line() -> Result<()> {
    fails(
        ["bench", "--family", "clip"],
        &["clip", "mllama", "gpt_neox"],
    )?;
    fails(["bench", "--family", "there/is/none.toml"], &["none.toml"])
}
