"""One module a command; each defines `command`. `edgelearn.cli.app.COMMANDS` lists them."""
