"""The product measured on this machine, from outside, against things that everybody has.

    upstream ──▶ the product ──▶ client            and in turn, round by round, in the same run:
    upstream ──▶ nginx ────────▶ client            the limit of a relay that keeps nothing
    upstream ──▶ least ────────▶ client            of one that commits what it shows
    upstream ────────────────────▶ client          no relay at all
                bare                               a FastAPI application that does nothing
                orm ────────────────▶ client       one that reads a page by SQLAlchemy's ORM

Figures are ratios where there is something to compare with; digits alone say more about the
machine than about the product. `python -m bench` prints them and writes docs/benchmarks.md.
"""
