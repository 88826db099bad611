"""The OCI image specification as values; pure, no file and no network.

https://github.com/opencontainers/image-spec/blob/main/spec.md
"""
