#!/bin/sh
# Makes the pictures of README.md with the program itself and a headless Chromium: `make pictures`.
#   docs/pictures/make.sh AVOCET
set -eu
avocet=${1:-target/release/avocet}
out=docs/pictures
work=target/pictures
mkdir -p "$work"
for browser in "${AVOCET_CHROMIUM:-chromium}" chromium-browser google-chrome /usr/lib/chromium/chromium; do
    command -v "$browser" >/dev/null && break
done

# shot PAGE WIDTHxHEIGHT NAME: a screenshot of at most 128 colours, which keeps it small.
shot() {
    "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --allow-file-access-from-files \
        --window-size="${2%x*},${2#*x}" --virtual-time-budget=4000 --screenshot="$work/$3.png" \
        "file://$(realpath "$1")" >/dev/null 2>"$work/browser.log" || { cat "$work/browser.log" >&2; return 1; }
    ffmpeg -v error -y -i "$work/$3.png" -vf "split[a][b];[a]palettegen=max_colors=128[p];[b][p]paletteuse=dither=none" \
        -compression_level 100 "$out/$3.png"
    echo "$out/$3.png: $(wc -c <"$out/$3.png") bytes"
}

# Questions about the bundled pictures, and what is answered to them.
page=$work/ask.html
{
    echo '<!doctype html><meta charset="utf-8"><style>
    body { margin: 0; padding: 18px 22px; background: #16181d; color: #d7dae0; font: 15px/1.5 monospace }
    div { display: flex; align-items: center; gap: 18px; margin: 0 0 12px; min-height: 56px }
    img { width: 150px; height: 56px; object-fit: contain; background: #fff; border-radius: 4px }
    p { margin: 0; white-space: pre-wrap } b { color: #8fd18f; font-weight: normal } i { color: #7f8694; font-style: normal }
    </style>'
    while IFS="$(printf '\t')" read -r picture question; do
        answer=$("$avocet" ask "assets/samples/$picture" "$question" | sed 's/&/\&amp;/g; s/</\&lt;/g')
        # No echo: a backslash of LaTeX is one.
        printf '<div><img src="%s"><p><i>$</i> avocet ask %s "%s"\n<b>%s</b></p></div>\n' \
            "$(realpath "assets/samples/$picture")" "$picture" "$question" "$answer"
    done <<'QUESTIONS'
italy.png	Which flag do you see?
dragon.png	What is in the picture?
teaser-archers.png	Read the text.
formula.png	Give the LaTeX of this formula.
invoice.png	How much is the Crimson candle?
QUESTIONS
} >"$page"
shot "$page" 820x390 ask

# The bundled film.
"$avocet" caption assets/samples/clip.mp4 --format html -o "$work" --whisper tiny.en >/dev/null ||
    "$avocet" caption assets/samples/clip.mp4 --format html -o "$work" --no-speech >/dev/null
shot "$work/clip.html" 1000x640 caption

# A plan.
"$avocet" plan train --preset gpt4 --html "$work/plan.html" >/dev/null
shot "$work/plan.html" 1000x760 plan

# Formulas that were not written down rightly.
rm -rf "$work/formulas"
"$avocet" data formulas --bundled --kind formula --difficulty 4 --count 40 --seed 3 --split test -o "$work/formulas"
"$avocet" eval --task "$work/formulas" --html "$work/wrong.html" >/dev/null
shot "$work/wrong.html" 1000x640 wrong
