"""Files that people bring: kept by their digest, known by their bytes, shown to models.

bytes ─▶ uploads ─▶ sniff, pdf ─▶ a row and a file      a prompt's ids ─▶ materials ─▶ bytes
"""
