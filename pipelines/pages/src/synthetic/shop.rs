//! Pages that sell: a card, a list of products, a receipt, plans.

use drawing::{currency, price};
use rand::Rng;
use rand::seq::SliceRandom;

use super::sketch::{Sketch, escaped};
use super::words::{self, product, sentences};
use crate::wording;

/// One product with its price and a button.
pub(super) fn card(sketch: &mut Sketch) {
    let name = product(sketch.split, &mut sketch.rng);
    let money = currency(&mut sketch.rng);
    let cents = price(&mut sketch.rng);
    let class = sketch.card_class();
    let mut html = format!("<main class=\"{class}\">");
    if sketch.chance(0.7) {
        let (width, height) = (
            sketch.width - 50,
            sketch.rng.random_range(40..sketch.height / 3),
        );
        html += &sketch.art(width, height);
    }
    let before = if sketch.chance(0.3) {
        format!("<s>{}</s> ", money.write(cents + price(&mut sketch.rng)))
    } else {
        String::new()
    };
    let title = format!("<h1 data-fact=\"title\">{}</h1>", escaped(&name));
    let tag = format!(
        "<p class=\"price\">{before}<span data-fact=\"price\">{}</span></p>",
        money.write(cents)
    );
    let said = match sketch.rng.random_range(0..3) {
        0 => String::new(),
        count => format!(
            "<p class=\"soft\">{}</p>",
            sentences(count, sketch.split, &mut sketch.rng)
        ),
    };
    let mut stars = String::new();
    if sketch.chance(0.3) {
        let rating = format!(
            "{}.{}",
            sketch.rng.random_range(2..5),
            sketch.rng.random_range(0..10)
        );
        stars = format!(
            "<p class=\"soft\">\u{2605} <span data-fact=\"rating\">{rating}</span> ({} reviews)</p>",
            sketch.rng.random_range(3..900)
        );
        sketch.ask(
            "page-text",
            "rating",
            &["What is the rating?", "How is it rated?"],
        );
    }
    let button = sketch.lone_button();
    let button = if sketch.chance(0.25) {
        format!("<div class=\"row\">{button}<a href=\"/more\">Details</a></div>")
    } else {
        button
    };
    let mut parts = [title, tag, said, stars];
    if sketch.chance(0.3) {
        parts.swap(1, 2);
    }
    html += &(parts.concat() + &button + "</main>");
    sketch.put(&html);
    sketch.ask_title();
    sketch.ask("page-price", "price", &wording::PRICE);
}

/// Several products, each with a price.
pub(super) fn listing(sketch: &mut Sketch) {
    let money = currency(&mut sketch.rng);
    let wide = sketch.width >= 320 && sketch.chance(0.6);
    let count = if wide {
        4
    } else {
        sketch.rng.random_range(2..5)
    };
    let heading = sketch.any(&[
        "New this week",
        "Best sellers",
        "On sale",
        "For you",
        "Our favourites",
        "Last chance",
    ]);
    let columns = if wide { "1fr 1fr" } else { "1fr" };
    let gap = sketch.look.gap_px;
    let mut html = format!(
        "<h1 data-fact=\"title\">{heading}</h1><div style=\"display: grid; gap: {gap}px; grid-template-columns: {columns}\">"
    );
    let mut sold: Vec<(String, u32)> = Vec::new();
    while sold.len() < count {
        let (name, cents) = (
            product(sketch.split, &mut sketch.rng),
            price(&mut sketch.rng),
        );
        if sold
            .iter()
            .all(|(known, cost)| *known != name && *cost != cents)
        {
            sold.push((name, cents));
        }
    }
    let (buttons, art) = (sketch.chance(0.3), wide && sketch.chance(0.5));
    let label = sketch.any(&["Add", "Buy", "Details", "Choose"]);
    for (index, (name, cents)) in sold.iter().enumerate() {
        let class = sketch.card_class();
        let picture = if art {
            sketch.art(sketch.width / 2 - 40, 36)
        } else {
            String::new()
        };
        let button = if buttons {
            format!(" <button>{label}</button>")
        } else {
            String::new()
        };
        html += &format!(
            "<div class=\"{class}\">{picture}<h3 data-fact=\"name{index}\">{}</h3><span class=\"price\" data-fact=\"price{index}\">{}</span>{button}</div>",
            escaped(name),
            money.write(*cents)
        );
    }
    sketch.put(&(html + "</div>"));
    sketch.ask_title();
    let asked = sketch.rng.random_range(0..count);
    let question = sketch.any(&wording::PRICE_OF).replace("{}", &sold[asked].0);
    let mark = format!("price{asked}");
    sketch.ask_for("page-price", &mark, question, money.write(sold[asked].1));
    let other = sketch.rng.random_range(0..count);
    let question = sketch.any(&wording::PRICED);
    let question = question.replace("{}", &money.write(sold[other].1));
    sketch.ask("page-price", &format!("name{other}"), &[question.as_str()]);
}

/// A receipt with a sum.
pub(super) fn receipt(sketch: &mut Sketch) {
    let money = currency(&mut sketch.rng);
    let heading = sketch.any(&[
        "Your order",
        "Receipt",
        "Your basket",
        "Order summary",
        "Invoice",
        "Shopping bag",
    ]);
    let count = sketch.rng.random_range(2..5);
    let class = sketch.card_class();
    let mut html = format!("<main class=\"{class}\"><h1 data-fact=\"title\">{heading}</h1><table>");
    let mut sum = 0;
    for index in 0..count {
        let (name, cents) = (
            product(sketch.split, &mut sketch.rng),
            price(&mut sketch.rng),
        );
        sum += cents;
        html += &format!(
            "<tr><td>{}</td><td data-fact=\"item{index}\" style=\"text-align: right\">{}</td></tr>",
            escaped(&name),
            money.write(cents)
        );
        if index == 0 {
            let question = sketch.any(&wording::PRICE_OF).replace("{}", &name);
            sketch.ask("page-price", "item0", &[question.as_str()]);
        }
    }
    let word = sketch.any(&["Total", "Sum", "To pay", "Total due"]);
    html += &format!(
        "<tr><th>{word}</th><th data-fact=\"total\" style=\"text-align: right\">{}</th></tr></table><div style=\"height: {}px\"></div>",
        money.write(sum),
        sketch.look.gap_px
    );
    html += &sketch.lone_button();
    sketch.put(&(html + "</main>"));
    sketch.ask("page-price", "total", &wording::TOTAL);
    sketch.ask_title();
}

/// Two plans side by side, or one above the other.
pub(super) fn plans(sketch: &mut Sketch) {
    let money = currency(&mut sketch.rng);
    let brand = sketch.phrase(words::BRANDS);
    let mut names = [
        "Basic", "Plus", "Team", "Family", "Pro", "Solo", "Studio", "Starter",
    ];
    names.shuffle(&mut sketch.rng);
    let direction = if sketch.width >= 300 { "row" } else { "column" };
    let mut html = format!(
        "<h1 data-fact=\"title\">{brand} plans</h1><div style=\"display: flex; gap: {}px; flex-direction: {direction}\">",
        sketch.look.gap_px
    );
    let mut asked = Vec::new();
    for (index, name) in names[..2].iter().enumerate() {
        let cents = price(&mut sketch.rng) / 10 * 10 + 100;
        let (class, button) = (
            sketch.card_class(),
            sketch.button(&format!("button{index}"), index == 0),
        );
        let included = format!(
            "{} {}",
            sketch.rng.random_range(1..50),
            sketch.any(&["users", "projects", "GB", "seats"])
        );
        html += &format!(
            "<div class=\"{class}\" style=\"flex: 1\"><h2>{name}</h2><p><span class=\"price\" data-fact=\"price{index}\">{}</span> <span class=\"soft\">a month</span></p>\
             <p data-fact=\"included{index}\">{included}</p>{button}</div>",
            money.write(cents)
        );
        asked.push((*name, included));
    }
    sketch.put(&(html + "</div>"));
    sketch.ask_title();
    let index = sketch.rng.random_range(0..2);
    let (name, included) = asked[index].clone();
    let question = sketch.any(&[
        "What does {} cost a month?",
        "How much is the {} plan?",
        "What is the price of {}?",
    ]);
    sketch.ask(
        "page-price",
        &format!("price{index}"),
        &[question.replace("{}", name).as_str()],
    );
    let question = format!("What does the {name} plan include?");
    sketch.ask_for("page-text", &format!("included{index}"), question, included);
    let question = format!("What does the button of the {name} plan say?");
    sketch.ask(
        "page-button",
        &format!("button{index}"),
        &[question.as_str()],
    );
}
