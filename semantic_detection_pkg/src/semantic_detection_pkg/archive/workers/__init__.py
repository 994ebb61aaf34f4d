"""Who looks: processes of this machine, or Dask's on others."""
