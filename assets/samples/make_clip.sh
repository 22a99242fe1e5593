#!/bin/sh
# Makes clip.mp4, the film that `make demo` captions: five pictures with a spoken line each.
#
#   sh assets/samples/make_clip.sh EMOJI_DIR
#
# EMOJI_DIR is img/google/64 of npm's emoji-datasource-google 16.0.0 (Noto Emoji). Needs
# espeak-ng, ffmpeg and the DejaVu fonts. The words were chosen so that tiny.en hears them right:
# espeak-ng swallows the first consonant of "the", "then" and "here" after a silence.
set -eu
emoji=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
font=/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf
size=320x180
rate=25

say() { # number, words: speech, a little silence before and after
    espeak-ng -v en-us+m3 -s 140 -g 2 -p 45 -w "$work/raw-$1.wav" "$2"
    ffmpeg -v error -i "$work/raw-$1.wav" -af "aresample=24000,adelay=150,apad=pad_dur=0.15" -ac 1 "$work/say-$1.wav"
}
seconds() { ffprobe -v error -show_entries format=duration -of csv=p=0 "$work/say-$1.wav"; }
show() { # number, source and filters: a picture for as long as its words last
    ffmpeg -v error -f lavfi -i "$2" -t "$(seconds "$1")" -r $rate -c:v ffv1 -pix_fmt yuv444p "$work/show-$1.mkv"
}
card() { show "$1" "color=c=$3:s=$size:r=$rate,drawtext=fontfile=$font:text='$2':fontsize=$5:fontcolor=$4:x=(w-tw)/2:y=(h-th)/2"; }
draw() { # number, emoji, ground
    show "$1" "color=c=$3:s=$size:r=$rate[g];movie=$emoji/$2.png:loop=0,setpts=N/($rate*TB),scale=150:150:flags=lanczos[e];[g][e]overlay=(W-w)/2:(H-h)/2:shortest=1"
}

say 1 "Hello there, and welcome to this film."
say 2 "First we see a penguin, walking home."
say 3 "Next comes a dragon. It flies to the moon."
say 4 "Finally, we see an owl, looking for a mouse."
say 5 "Good day, and thank you for watching."
card 1 "Hello there" 0xf4efe6 0x333333 48
draw 2 1f427 0xf4efe6
draw 3 1f409 0xdfe9f5
draw 4 1f989 0xeef0f5
card 5 "Good day" 0xf4efe6 0x333333 52
for number in 1 2 3 4 5; do
    echo "file $work/say-$number.wav" >> "$work/say.txt"
    echo "file $work/show-$number.mkv" >> "$work/show.txt"
done
ffmpeg -v error -y -f concat -safe 0 -i "$work/show.txt" -f concat -safe 0 -i "$work/say.txt" \
    -map 0:v -map 1:a -c:v libx264 -preset veryslow -tune animation -crf 20 -g 100 -pix_fmt yuv420p \
    -c:a aac -b:a 40k -movflags +faststart -map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact \
    "$here/clip.mp4"
