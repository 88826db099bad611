"""The content-addressed store on disk: a valid OCI image layout, and facts kept beside it."""
