"""Results that Snakemake keeps in storage elsewhere, such as S3, and what the workflow itself reads of them.

Needs: nothing.
Gives: readable().
"""

import copy

# By the output's name: where its copy lies.
STORED_COPIES = {}


def readable(output):
    """Return where the workflow itself reads what a checkpoint wrote.

    Of results in storage that is a copy of its own: Snakemake's are there while jobs need them, and in parts.
    """
    return stored_copy(output) if output.is_storage else Path(output)


def stored_copy(output):
    """Fetch an output from storage, once for each time that it was written."""
    if output not in STORED_COPIES:
        stored = copy.copy(output.storage_object)
        written = hashlib.sha256(f"{output} {stored.mtime()}".encode()).hexdigest()[:16]
        folder = Path(".snakemake/crossres/stored", written)
        if not folder.exists():
            with whole(folder) as part:
                part.mkdir()
                stored.is_ondemand_eligible = False
                stored.set_local_path(part / os.path.basename(output))
                stored.retrieve_object()
        STORED_COPIES[output] = folder / os.path.basename(output)
    return STORED_COPIES[output]
