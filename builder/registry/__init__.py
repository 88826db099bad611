"""A client of the distribution specification: asking registries for manifests and blobs.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""
