"""Sessions of the developer: `nox` runs lint and tests, `nox -s slow` the rest."""

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "tests"]


@nox.session
def lint(session: nox.Session) -> None:
    """Format, lint and types."""
    session.install(".[all,test]", "ruff", "pyright")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("pyright")


@nox.session
def tests(session: nox.Session) -> None:
    """The fast suite."""
    session.install(".[all,test]")
    session.run("pytest", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """Physics that takes minutes."""
    session.install(".[all,test]")
    session.run("pytest", "-m", "slow", *session.posargs)


@nox.session
def examples(session: nox.Session) -> None:
    """The quick start, as the README has it."""
    session.install(".[all]")
    session.run("zeroflux", "run", "examples/quickstart.yaml", "--out", session.create_tmp())


@nox.session
def docs(session: nox.Session) -> None:
    """The site, its gallery run anew, in docs/_build."""
    session.install(".[all,docs]")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "docs", "docs/_build", *session.posargs)
