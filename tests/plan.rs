//! Planning as people and scripts rely on it: one table, one JSON value, one page, and one clear line
//! for everything that cannot be.

use anyhow::{Context, Result};
use avocet_config::{ModelConfig, family, family_names, preset};
use avocet_model::ParameterCount;
use avocet_plan::Count;
use serde_json::Value;
use tempfile::TempDir;

use crate::command::{fails, path, succeeds};

fn json(arguments: &[&str]) -> Result<Value> {
    let said = succeeds(arguments)?;
    assert_eq!(said.lines().count(), 1, "one JSON value");
    Ok(serde_json::from_str(&said)?)
}

#[test]
fn the_planner_counts_parameters_as_the_network_does() -> Result<()> {
    for name in ["mini", "gpt4"] {
        let plan = json(&["plan", "train", "--preset", name, "--json"])?;
        let network = json(&["inspect", name, "--json"])?;
        for field in ["total", "active", "per_expert", "by_part"] {
            assert_eq!(
                plan["model"][field], network["parameters"][field],
                "{name}, {field}"
            );
        }
    }
    Ok(())
}

#[test]
fn the_described_system_is_recomputed_in_a_table_that_fits_a_terminal() -> Result<()> {
    let train = succeeds(["plan", "train", "--preset", "gpt4", "--explain", "--truth"])?;
    let serve = succeeds(["plan", "serve", "--preset", "gpt4", "--explain"])?;
    for line in train.lines().chain(serve.lines()) {
        assert!(line.chars().count() <= 100, "{line}");
    }
    for words in [
        "described",
        "recomputed",
        "agrees?",
        "6 * active * tokens",
        "megatron-530b",
    ] {
        assert!(train.contains(words), "{words}");
    }
    assert!(serve.contains("experts * (1 - (1 - top_k / experts) ^ tokens)"));
    let claims = |kind: &str| -> Result<String> {
        let plan = json(&["plan", kind, "--preset", "gpt4", "--json"])?;
        Ok(plan["described"].to_string())
    };
    let (train, serve) = (claims("train")?, claims("serve")?);
    for words in [
        "1.834 T",
        "55.82 B",
        "560 GFLOP",
        "unit off by 1,000",
        "2.184e25",
        "35.4 % in 90 days, 31.9 % in 100",
        "$54.0 M to $60.0 M",
        "5-17 % high",
        "24,960",
        "$21.6 M, at 55.8 %",
        "only so",
        "7.5 M for each expert",
        "30.56 GB",
        "no: tokens",
    ] {
        assert!(train.contains(words), "{words}");
    }
    for words in [
        "7.5 layers a stage",
        "yes, uneven",
        "7,256 tokens/s, 10.2 %",
        "33,862 tokens/s, 15.0 %",
        "no: dollars",
    ] {
        assert!(serve.contains(words), "{words}");
    }
    Ok(())
}

#[test]
fn a_plan_says_the_same_twice_and_another_history_with_another_seed() -> Result<()> {
    let flags = [
        "plan",
        "train",
        "--preset",
        "llama-3-405b",
        "--gpu",
        "h100",
        "--count",
        "16384",
        "--json",
    ];
    let with = |seed: &str| json(&[&flags[..], &["--seed", seed]].concat());
    assert_eq!(with("1")?, with("1")?);
    assert_ne!(with("1")?["drawn_goodput"], with("2")?["drawn_goodput"]);
    let plan = &with("1")?["plan"];
    let (drawn, closed) = (&with("1")?["drawn_goodput"], &plan["goodput"]["share"]);
    let ratio = drawn.as_f64().context("a number")? / closed.as_f64().context("a number")?;
    assert!((ratio - 1.0).abs() < 0.02, "{ratio}");
    Ok(())
}

#[test]
fn a_public_config_is_planned_without_its_weights() -> Result<()> {
    let folder = TempDir::new()?;
    let file = path(&folder, "config.json");
    std::fs::write(
        &file,
        r#"{"model_type":"mixtral","vocab_size":32000,"hidden_size":4096,"intermediate_size":14336,
           "num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"num_local_experts":8,
           "num_experts_per_tok":2,"max_position_embeddings":32768,"rms_norm_eps":1e-5,"rope_theta":1e6,
           "tie_word_embeddings":false}"#,
    )?;
    let plan = json(&["plan", "serve", "--model", &file, "--gpu", "h100", "--json"])?;
    // Mixtral of Experts, arXiv:2401.04088: 47 B parameters, 13 B active.
    assert_eq!(plan["model"]["total"], 46_702_792_704u64);
    assert_eq!(plan["model"]["active"], 12_879_925_248u64);
    assert!(plan["decode"].as_array().context("a sweep")?.len() > 4);
    Ok(())
}

#[test]
fn pages_stand_alone_and_hold_the_plots() -> Result<()> {
    let folder = TempDir::new()?;
    for (kind, plots) in [("train", 2), ("serve", 2)] {
        let page = path(&folder, &format!("{kind}.html"));
        let flags = [
            "plan", kind, "--preset", "mini", "--gpu", "h100", "--count", "8", "--html", &page,
        ];
        succeeds(flags)?;
        let html = std::fs::read_to_string(&page)?;
        assert_eq!(html.matches("<figure").count(), plots, "{kind}");
        assert!(!html.contains("src=") && !html.contains("href=") && !html.contains("<script"));
    }
    Ok(())
}

#[test]
fn what_cannot_be_gets_one_clear_line() -> Result<()> {
    for (arguments, words) in [
        (
            &["plan", "train", "--count", "0"][..],
            &["count", "0 GPUs"][..],
        ),
        (
            &["plan", "train", "--gpu", "tpu"],
            &["tpu", "a100-80", "h100"],
        ),
        (
            &["plan", "train", "--preset", "gpt5"],
            &["gpt5", "gpt4", "deepseek-v3"],
        ),
        (
            &["plan", "train", "--pipeline", "121"],
            &["121 stages", "120 layers"],
        ),
        (
            &["plan", "train", "--tensor", "5"],
            &["tensor", "168 heads"],
        ),
        (&["plan", "train", "--tensor", "0"], &["tensor"]),
        (
            &["plan", "train", "--count", "64"],
            &["no layout", "memory"],
        ),
        (&["plan", "train", "--tokens=-1"], &["--tokens", "above 0"]),
        (&["plan", "train", "--batch", "NaN"], &["--batch"]),
        (&["plan", "train", "--price", "0"], &["--price"]),
        (&["plan", "train", "--mtbf", "1e-9"], &["mtbf"]),
        (&["plan", "train", "--ramp-over", "1e30"], &["--ramp-over"]),
        (
            &["plan", "train", "--images", "1"],
            &["--images", "no image tower"],
        ),
        (
            &["plan", "train", "--preset", "llama-3-405b", "--expert", "2"],
            &["expert"],
        ),
        (
            &["plan", "serve", "--pipeline", "121"],
            &["121 stages", "120 layers"],
        ),
        (
            &["plan", "serve", "--tensor", "5"],
            &["5 does not divide the 168 heads"],
        ),
        (&["plan", "serve", "--count", "64"], &["--count", "128"]),
        (
            &["plan", "serve", "--tensor", "1", "--pipeline", "1"],
            &["memory", "GB"],
        ),
        (&["plan", "serve", "--acceptance", "1"], &["acceptance"]),
        (
            &["plan", "serve", "--latency", "0.001"],
            &["--latency", "not reached"],
        ),
        (&["plan", "serve", "--context", "0"], &["--context"]),
        (
            &["plan", "serve", "--preset", "llama-3-405b", "--expert", "8"],
            &["no experts"],
        ),
        (
            &[
                "plan",
                "train",
                "--gpu",
                "cpu",
                "--preset",
                "mini",
                "--samples",
                "0",
                "--machine",
                "100,10",
            ],
            &["samples"],
        ),
    ] {
        fails(arguments.iter().copied(), words)?;
    }
    Ok(())
}

fn same(config: &ModelConfig) {
    let exact = ParameterCount::of(config).unwrap();
    let ours = Count::of(&config.into());
    for (part, count) in ours.by_part() {
        let theirs = exact.by_part.iter().find(|(known, _)| known.name() == part);
        assert_eq!(
            count,
            theirs.map_or(0, |(_, n)| *n),
            "{}, {part}",
            config.name
        );
    }
    assert_eq!(ours.total(), exact.total, "{}", config.name);
    assert_eq!(ours.active, exact.active, "{}", config.name);
    assert_eq!(ours.per_expert, exact.per_expert, "{}", config.name);
}

#[test]
fn the_planner_counts_every_preset_and_family_as_the_network_does() {
    for name in ["mini", "gpt4", "tiny"] {
        same(&preset(name).unwrap());
    }
    for name in family_names() {
        same(&family(name).unwrap());
    }
}
