"""How many of the 300 formulas the renderers that were not chosen can draw, and how fast.

    npm install katex@0.19.1                       # in FOLDER
    pip install typst==0.15.2
    python tests/compare/formulas.py --katex FOLDER
    python tests/compare/formulas.py --mitex CONVERTED --specs SPECS

CONVERTED has a line for each formula: what the crate mitex 0.2.4 makes of it with its default
specification, after "OK ", or "ERR" and the message. SPECS is the folder `specs` of mitex's
package for Typst. The chosen renderer is measured by the command in the pipeline's README.
"""

import argparse
import json
import pathlib
import subprocess
import time

LIST = pathlib.Path(__file__).parents[2] / "pipelines/formulas/formulas-300.txt"
NODE = """
const katex = require('katex');
const lines = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const start = Date.now();
const errors = [];
for (const line of lines) {
  try { katex.renderToString(line, {displayMode: true, throwOnError: true, strict: false}); }
  catch (error) { errors.push([line, error.message]); }
}
console.log(JSON.stringify({errors, seconds: (Date.now() - start) / 1000}));
"""


def katex(lines, folder):
    """KaTeX to HTML, without the browser that would draw it."""
    done = subprocess.run(["node", "-e", NODE], input=json.dumps(lines), cwd=folder,
                          capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    return said["errors"], said["seconds"]


def typst(lines, converted, specs):
    """What mitex converted, compiled to PNG by Typst."""
    import typst as compiler

    document = specs.parent / "formula.typ"
    errors, start = [], time.time()
    for line, output in zip(lines, converted.read_text().splitlines(), strict=True):
        if not output.startswith("OK "):
            errors.append((line, output))
            continue
        body = json.dumps("$ " + output[3:] + " $")
        document.write_text('#import "specs/mod.typ": mitex-scope\n'
                            "#set page(width: auto, height: auto, margin: 4pt)\n"
                            f"#eval({body}, scope: mitex-scope)\n")
        try:
            compiler.compile(str(document), format="png", ppi=144)
        except Exception as error:  # the compiler raises its own kinds
            errors.append((line, str(error).splitlines()[0]))
    return errors, time.time() - start


def main():
    options = argparse.ArgumentParser(description=__doc__,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--katex", type=pathlib.Path)
    options.add_argument("--mitex", type=pathlib.Path)
    options.add_argument("--specs", type=pathlib.Path)
    asked = options.parse_args()
    lines = LIST.read_text().splitlines()
    runs = []
    if asked.katex:
        runs.append(("KaTeX", *katex(lines, asked.katex)))
    if asked.mitex and asked.specs:
        runs.append(("mitex and Typst", *typst(lines, asked.mitex, asked.specs)))
    for name, errors, seconds in runs:
        print(f"{name}: {len(lines) - len(errors)} of {len(lines)}, {seconds:.2f} s")
        for line, error in errors:
            print(f"  {line}\n    {error}")


main()
