//! A plan as one HTML page that loads nothing from elsewhere.

use crate::error::Result;
use crate::plot::Plot;

/// A table of a page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PageTable {
    /// What it shows.
    pub title: String,
    /// Its head.
    pub head: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
}

/// The page of a plan: tables, then plots.
///
/// Errors if a plot cannot be drawn.
pub fn page(title: &str, intro: &str, tables: &[PageTable], plots: &[Plot]) -> Result<String> {
    let mut body = String::new();
    for table in tables {
        body.push_str(&format!(
            "<h2>{}</h2>\n<div class=\"wide\"><table>",
            escaped(&table.title)
        ));
        body.push_str(&row("th", &table.head));
        for cells in &table.rows {
            body.push_str(&row("td", cells));
        }
        body.push_str("</table></div>\n");
    }
    let mut figures = String::new();
    for plot in plots {
        figures.push_str(&format!(
            "<section><h2>{}</h2><p>{}</p>{}</section>\n",
            escaped(&plot.title),
            escaped(&plot.note),
            plot.to_svg()?
        ));
    }
    Ok(format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head><body><h1>{title}</h1><p>{intro}</p>\
         <main>{figures}</main>\n{body}</body></html>\n",
        title = escaped(title),
        intro = escaped(intro),
    ))
}

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:82rem;\
padding:0 1.5rem;color:#222;background:#fff}h1{margin:0 0 .3rem}h2{font-size:1.05rem;margin:1.6rem 0 .2rem}\
p{margin:.1rem 0 .4rem;color:#555}main{display:grid;\
grid-template-columns:repeat(auto-fill,minmax(min(34rem,100%),1fr));gap:1.5rem}main h2{margin-top:0}\
svg{width:100%;height:auto;border:1px solid #ddd}.wide{overflow-x:auto}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{text-align:left;vertical-align:top;padding:.25rem 1.2rem .25rem 0;border-bottom:1px solid #eee}\
th{color:#555;font-weight:600}";

fn row(cell: &str, cells: &[String]) -> String {
    let cells = cells
        .iter()
        .map(|text| format!("<{cell}>{}</{cell}>", escaped(text)));
    format!("<tr>{}</tr>\n", cells.collect::<String>())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_stands_alone_and_shows_text_as_text() {
        let table = PageTable {
            title: "a<b".into(),
            head: vec!["x".into()],
            rows: vec![vec!["<script>".into()]],
        };
        let html = page("plan", "", &[table], &[]).unwrap();
        assert!(html.contains("a&lt;b") && !html.contains("<script>"));
        assert!(!html.contains("src=") && !html.contains("href="));
    }
}
