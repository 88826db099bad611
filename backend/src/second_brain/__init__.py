"""A small service that keeps notes, on Azure where Azure is configured."""
