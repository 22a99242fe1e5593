# Everything a newcomer or a machine needs; `make help` lists it.
.POSIX:
CARGO = cargo
AVOCET = target/release/avocet
SECONDS = 60
DRAW = $(AVOCET) data named-pictures
CAPTION = $(AVOCET) caption assets/samples/clip.mp4 --format txt,html -o target/demo >/dev/null

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

setup: ## what build and tests need: checked, installed when allowed, otherwise named
	@sh .ci/setup

setup-build: ## only what the build needs
	@sh .ci/setup build

build: setup-build ## the release binaries, target/release/avocet and avocet-worker
	$(CARGO) build --release --locked -p avocet

demo: build ## ask the built-in model about the bundled pictures, and caption the bundled film
	@echo
	@while IFS="$$(printf '\t')" read -r picture question; do \
		printf '%s\n  %s\n  > ' "assets/samples/$$picture" "$$question"; \
		$(AVOCET) ask "assets/samples/$$picture" "$$question" || exit 1; \
		echo; \
	done < assets/samples/questions.tsv
	@$(CAPTION) --whisper tiny.en || { \
		echo "no speech model could be had, so only what is seen is captioned"; $(CAPTION) --no-speech; } >&2
	@printf '\n%s\n' assets/samples/clip.mp4; sed 's/^/  /' target/demo/clip.txt
	@printf '\nthe same as a page, with the film: target/demo/clip.html\n'

data: setup build ## the training and held-out data of mini, under datasets/
	for split in train test; do \
		$(AVOCET) data text --split $$split -o datasets/plain-text/$$split || exit 1; \
		$(AVOCET) data text --split $$split --longest 7000 -o datasets/long-text/$$split || exit 1; \
	done
	$(AVOCET) data formulas --kind formula --count 110000 --seed 1 --max-width 720 --max-height 160 -o datasets/formulas/train
	$(AVOCET) data formulas --kind formula-manual --count 40000 --seed 1 --max-width 720 --max-height 160 -o datasets/formulas-manual/train
	$(AVOCET) data formulas --renderer mixed --kind formula --kind formula-manual --count 16000 --seed 1 --max-width 720 --max-height 160 -o datasets/formulas-hands/train
	$(AVOCET) data formulas --kind formula --difficulty 4 --count 2000 --split test --seed 2 -o datasets/formulas/test
	$(AVOCET) data pages --synthetic 2500 --seed 1 -o datasets/pages/train
	$(AVOCET) data pages --synthetic 1300 --seed 3 -o datasets/pages-words/train
	$(AVOCET) data pages --synthetic 2000 --seed 4 -o datasets/pages-near/train
	$(AVOCET) data pages --synthetic 2400 --seed 5 -o datasets/pages-more/train
	$(AVOCET) data pages --manuals 1500 --seed 1 -o datasets/pages-real/train
	$(AVOCET) data pages --synthetic 300 --split test --seed 2 -o datasets/pages/test
	$(DRAW) --kind text --max-chars 6 --count 60000 --seed 11 -o datasets/text-short/train
	$(DRAW) --kind text --max-chars 12 --count 100000 --seed 12 -o datasets/text-medium/train
	$(DRAW) --kind text --max-chars 60 --count 250000 --seed 1 -o datasets/text/train
	$(DRAW) --kind text-browser --max-chars 60 --count 20000 --seed 1 -o datasets/text-browser/train
	$(DRAW) --kind text-scanned --max-chars 60 --count 40000 --seed 1 -o datasets/text-scanned/train
	$(DRAW) --kind prices --count 90000 --seed 1 -o datasets/prices/train
	$(DRAW) --kind emoji --count 150000 --seed 1 -o datasets/emoji/train
	$(DRAW) --kind flags --count 80000 --seed 1 -o datasets/flags/train
	$(DRAW) --kind clip-art --count 60000 --seed 1 -o datasets/clip-art/train
	$(DRAW) --kind unsure --count 20000 --seed 1 -o datasets/unsure/train
	$(DRAW) --kind shapes --count 100000 --seed 1 -o datasets/shapes/train
	$(DRAW) --kind easy-vqa --count 100000 --seed 1 -o datasets/easy-vqa/train
	$(DRAW) --kind easy-vqa --split test --count 10000 --seed 2 -o datasets/easy-vqa/test
	for kind in shapes emoji; do $(DRAW) --kind $$kind --split test --count 2000 --seed 2 -o datasets/$$kind/test || exit 1; done
	for kind in flags text text-unseen text-scanned clip-art unsure; do $(DRAW) --kind $$kind --split test --count 1000 --seed 2 -o datasets/$$kind/test || exit 1; done

concepts: build ## what the classes of the recogniser of mini are called, from WordNet
	$(AVOCET) data concepts -o assets/mini/concepts.tsv

mini: data concepts ## the whole recipe of the built-in model: data, then every stage; goes on where it stopped
	for stage in $$(ls assets/recipes/mini/*.toml | sort -V); do $(AVOCET) train $$stage --resume || exit 1; done
	$(AVOCET) models export runs/mini/12-concepts -o assets/mini
	$(AVOCET) eval --model assets/mini --limit 150 --calibrate $(foreach set,emoji flags text text-unseen shapes easy-vqa formulas,datasets/$(set)/test)

test: setup ## every test; offline once the dependencies are fetched
	$(CARGO) test --workspace --locked

# No browser, no FFmpeg and no network; what crosses crates by the rules of the house and golden data alone.
quick: ## the tests that take less than a minute: of libraries, rules of the house, golden data
	$(CARGO) test --workspace --locked --lib --exclude avocet-worker --exclude avocet-video --exclude avocet-browser --exclude pages --exclude other-hands --exclude video
	$(CARGO) test --workspace --locked --test tests -- tidy circles golden

levels: ## the quick tests as processors without AVX-512, and without AVX2, run them
	for level in portable avx2 avx512; do AVOCET_CPU=$$level $(MAKE) quick || exit 1; done

fresh: ## what setup says on bare Debian 12 and 13 machines, made with debootstrap; needs root
	.ci/fresh

resume-25: setup ## kills training runs and pipelines at 25 random times each, beside the chosen places
	AVOCET_KILLS=25 $(CARGO) test --workspace --locked --test tests kill

fuzz: setup-build ## runs every fuzz target for SECONDS (60) from the golden data; `make fuzz SECONDS=600`
	@tests/fuzz/run $(SECONDS)

pictures: setup build ## the pictures of README.md, made anew
	docs/pictures/make.sh $(AVOCET)

man: build ## manual pages and completions for shells, under target/man and target/completions
	@mkdir -p target/completions
	$(AVOCET) man -o target/man
	for shell in bash elvish fish powershell zsh; do $(AVOCET) completions $$shell >target/completions/avocet.$$shell || exit 1; done

check: fmt clippy docs tidy ## formatting, lints, documentation and the rules of the house

fmt:
	$(CARGO) fmt --all --check

# The second run is of `avocet` without video and speech; the worker's own feature stays, since all
# dependencies would be checked anew without it.
clippy:
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --workspace --no-default-features --features avocet-worker/speech --locked -- -D warnings

docs: ## the documentation of all libraries, under target/doc; a link that leads nowhere is an error
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

tidy:
	$(CARGO) test --workspace --locked --test tests -- tidy circles

.PHONY: help setup setup-build build demo data concepts mini test quick fresh resume-25 levels fuzz pictures man check fmt clippy docs tidy
