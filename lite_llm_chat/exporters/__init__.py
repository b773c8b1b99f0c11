"""What leaves: one session as a document, everything as one archive, a link for others.

store/records ─▶ chosen ─▶ shown ─┬─▶ markdown     a text
                    │             └─▶ page         HTML, for a file and for a link
                    └────────────────▶ form ─▶ archive    our own format, lossless
"""
