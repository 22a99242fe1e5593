# Everything a newcomer or a machine needs; `make help` lists it.
.POSIX:
CARGO = cargo
AVOCET = target/release/avocet
# Training samples of each kind of picture.
SAMPLES = 200000

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

setup: ## what the build needs: checked, installed when allowed, otherwise named
	@sh .ci/setup

build: setup ## the release binary, target/release/avocet
	$(CARGO) build --release --locked -p avocet

demo: build ## ask the built-in model about the bundled pictures
	@echo
	@while IFS="$$(printf '\t')" read -r picture question; do \
		printf '%s\n  %s\n  > ' "assets/samples/$$picture" "$$question"; \
		$(AVOCET) ask "assets/samples/$$picture" "$$question" || exit 1; \
		echo; \
	done < assets/samples/questions.tsv

data: build ## the training and held-out data of mini, under datasets/
	$(AVOCET) data text -o datasets/plain-text/train
	$(AVOCET) data text --split test -o datasets/plain-text/test
	for kind in shapes flags emoji text easy-vqa; do \
		$(AVOCET) data named-pictures --kind $$kind --count $(SAMPLES) --seed 1 -o datasets/$$kind/train || exit 1; \
	done
	for kind in shapes flags emoji text text-unseen easy-vqa; do \
		$(AVOCET) data named-pictures --kind $$kind --split test --count 2000 --seed 2 -o datasets/$$kind/test || exit 1; \
	done

mini: data ## the whole recipe of the built-in model: data, then every stage; goes on where it stopped
	for stage in assets/recipes/mini/*.toml; do $(AVOCET) train $$stage --resume || exit 1; done
	$(AVOCET) models export runs/mini/4-all -o assets/mini

test: setup ## every test; offline once the dependencies are fetched
	$(CARGO) test --workspace --locked

resume-25: setup ## kills a training run at 25 random points and compares it with an unbroken one
	AVOCET_RESUME_KILLS=25 $(CARGO) test --workspace --locked --test tests resume

check: fmt clippy tidy ## formatting, lints and the rules of the house

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

tidy:
	$(CARGO) test --workspace --locked --test tests tidy

.PHONY: help setup build demo data mini test resume-25 check fmt clippy tidy
