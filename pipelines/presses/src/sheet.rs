//! Pages that have a browser's libraries set many formulas.

use crate::studio::script_string;

/// A formula that is to be set, black on white.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Its source.
    pub latex: String,
    /// Pixels of an em.
    pub size: f64,
    /// As in a line of text, not on a line of its own.
    pub inline: bool,
}

/// The window that a sheet is shown in: formulas stand beside one another as far as there is room.
pub(crate) const WINDOW: (u32, u32) = (1600, 2400);

/// White around each formula, so that no part of a letter is cut off.
const LAYOUT: &str = "<style>body{margin:0;background:#fff;color:#000;display:flex;flex-wrap:wrap;\
    align-items:flex-start;align-content:flex-start}.f{padding:7px 9px;flex:none}\
    .katex-display,mjx-container[display]{margin:0!important}</style>";

/// The formulas as a list of JavaScript.
fn list(asked: &[Asked]) -> String {
    let one = |one: &Asked| {
        let latex = script_string(&one.latex);
        format!("[{latex},{:.2},{}]", one.size, !one.inline)
    };
    let all: Vec<String> = asked.iter().map(one).collect();
    format!("[{}]", all.join(","))
}

/// A page that has KaTeX set them; each is marked with its number once it is.
pub(crate) fn katex_page(asked: &[Asked]) -> String {
    format!(
        "<link rel=stylesheet href=katex.min.css><script src=katex.min.js></script>{LAYOUT}<body>\
         <script>const done=[];{}.forEach(([t,s,d],i)=>{{const e=document.createElement('div');\
         e.className='f';e.style.fontSize=s+'px';try{{katex.render(t,e,{{displayMode:d,\
         throwOnError:true,strict:false,output:'html'}});document.body.append(e);done.push([e,i])}}\
         catch(x){{}}}});document.fonts.ready.then(()=>done.forEach(([e,i])=>\
         e.setAttribute('data-fact',i)))</script>",
        list(asked)
    )
}

/// The same by MathJax.
pub(crate) fn mathjax_page(asked: &[Asked]) -> String {
    format!(
        "{LAYOUT}<body><script>MathJax={{startup:{{typeset:false,ready(){{\
         MathJax.startup.defaultReady();{}.forEach(([t,s,d],i)=>{{\
         const e=document.createElement('div');e.className='f';e.style.fontSize=s+'px';\
         try{{const n=MathJax.tex2svg(t,{{display:d}});\
         if(n.querySelector('[data-mjx-error],[data-mml-node=merror]'))return;\
         e.append(n);document.body.append(e);e.setAttribute('data-fact',i)}}catch(x){{}}}});\
         document.head.append(MathJax.svgStylesheet())}}}}}}</script>\
         <script src=tex-svg-full.js></script>",
        list(asked)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_formula_ends_the_script_it_stands_in() {
        let asked = [Asked {
            latex: "a</script><b>".into(),
            size: 20.0,
            inline: false,
        }];
        for page in [katex_page(&asked), mathjax_page(&asked)] {
            assert!(!page.contains("</script><b>"), "{page}");
        }
    }
}
