# Everything a newcomer or a machine needs; `make help` lists it.
.POSIX:
CARGO = cargo
AVOCET = target/release/avocet

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

test: setup ## every test; offline once the dependencies are fetched
	$(CARGO) test --workspace --locked

check: fmt clippy tidy ## formatting, lints and the rules of the house

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

tidy:
	$(CARGO) test --workspace --locked --test tests tidy

.PHONY: help setup build demo test check fmt clippy tidy
