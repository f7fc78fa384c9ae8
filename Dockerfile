FROM condaforge/miniforge3:25.3.1-0
LABEL io.github.snakemake.containerized="true"
LABEL io.github.snakemake.conda_env_hash="e21158c3ab3510eb6a47a4a0ac1337e7cd8b6eaf42e1e3ac89504a56c3bd7c8d"
# Conda environment:
#   source: envs/acquire.yaml
#   prefix: /conda-envs/f1e5aa47036bdf96b9f5b4a4fb7c7e3a
#   # Catalogues, search and download.
#   # Made by `python envs/make.py` from constraints.txt and from what the stages import.
#   name: crossres-acquire
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
#     - dask=2026.8.0
#     - dask-jobqueue=0.9.0
#     - defusedxml=0.7.1
#     - distributed=2026.8.0
#     - geopandas=1.2.0
#     - libgdal-jp2openjpeg
#     - matplotlib-base=3.11.2
#     - numpy=2.4.6
#     - oauthlib=4.0.1
#     - odc-geo=0.5.3
#     - pillow=13.0.0
#     - planetary-computer=1.0.0
#     - psutil=7.2.2
#     - pyarrow=26.0.1
#     - pydantic=2.14.3
#     - pyogrio=0.13.0
#     - pyproj=3.7.2
#     - pystac=1.15.2
#     - pystac-client=0.9.1
#     - pyyaml=6.0.3
#     - rasterio=1.4.4
#     - requests=2.34.2
#     - requests-aws4auth=1.4.0
#     - scipy=1.17.1
#     - sentinelhub=3.12.0
#     - shapely=2.2.0
#     - tqdm=4.70.1
#     - urllib3=2.8.0
#     - xarray=2026.9.0
#     - zarr=3.1.6
RUN mkdir -p /conda-envs/f1e5aa47036bdf96b9f5b4a4fb7c7e3a
COPY envs/acquire.yaml /conda-envs/f1e5aa47036bdf96b9f5b4a4fb7c7e3a/environment.yaml
# Conda environment:
#   source: envs/evaluate.yaml
#   prefix: /conda-envs/6487b3ab6e7c2ccba3a01b273ff0f8a7
#   # Metrics, figures and the report.
#   # Made by `python envs/make.py` from constraints.txt and from what the stages import.
#   name: crossres-evaluate
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
#     - dask=2026.8.0
#     - dask-jobqueue=0.9.0
#     - distributed=2026.8.0
#     - jinja2=3.1.6
#     - markupsafe=3.0.4
#     - matplotlib-base=3.11.2
#     - numpy=2.4.6
#     - odc-geo=0.5.3
#     - pandas=3.1.1
#     - pillow=13.0.0
#     - psutil=7.2.2
#     - pyarrow=26.0.1
#     - pydantic=2.14.3
#     - pyproj=3.7.2
#     - pytorch=2.13.0
#     - pyyaml=6.0.3
#     - rasterio=1.4.4
#     - safetensors=0.8.0
#     - scikit-image=0.26.0
#     - scipy=1.17.1
#     - shapely=2.2.0
#     - torchmetrics=1.9.0
#     - tqdm=4.70.1
#     - xarray=2026.9.0
#     - zarr=3.1.6
RUN mkdir -p /conda-envs/6487b3ab6e7c2ccba3a01b273ff0f8a7
COPY envs/evaluate.yaml /conda-envs/6487b3ab6e7c2ccba3a01b273ff0f8a7/environment.yaml
# Conda environment:
#   source: envs/geo.yaml
#   prefix: /conda-envs/7528a0949c05fd586ab5330883356fb4
#   # Simulation, alignment, patches.
#   # Made by `python envs/make.py` from constraints.txt and from what the stages import.
#   name: crossres-geo
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
#     - dask=2026.8.0
#     - dask-jobqueue=0.9.0
#     - distributed=2026.8.0
#     - geopandas=1.2.0
#     - matplotlib-base=3.11.2
#     - numpy=2.4.6
#     - odc-geo=0.5.3
#     - pandas=3.1.1
#     - pillow=13.0.0
#     - psutil=7.2.2
#     - pyarrow=26.0.1
#     - pydantic=2.14.3
#     - pyogrio=0.13.0
#     - pyproj=3.7.2
#     - pyyaml=6.0.3
#     - rasterio=1.4.4
#     - scipy=1.17.1
#     - shapely=2.2.0
#     - tqdm=4.70.1
#     - xarray=2026.9.0
#     - zarr=3.1.6
RUN mkdir -p /conda-envs/7528a0949c05fd586ab5330883356fb4
COPY envs/geo.yaml /conda-envs/7528a0949c05fd586ab5330883356fb4/environment.yaml
# Conda environment:
#   source: envs/torch.yaml
#   prefix: /conda-envs/d715293cb22e049b3b89abe15a04d092
#   # Training and sampling; conda takes the CUDA build where it sees a GPU, else the CPU build.
#   # Made by `python envs/make.py` from constraints.txt and from what the stages import.
#   name: crossres-torch
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
#     - dask=2026.8.0
#     - dask-jobqueue=0.9.0
#     - distributed=2026.8.0
#     - matplotlib-base=3.11.2
#     - numpy=2.4.6
#     - odc-geo=0.5.3
#     - pandas=3.1.1
#     - pillow=13.0.0
#     - psutil=7.2.2
#     - pyarrow=26.0.1
#     - pydantic=2.14.3
#     - pyproj=3.7.2
#     - pytorch=2.13.0
#     - pyyaml=6.0.3
#     - rasterio=1.4.4
#     - safetensors=0.8.0
#     - scipy=1.17.1
#     - shapely=2.2.0
#     - tqdm=4.70.1
#     - xarray=2026.9.0
#     - zarr=3.1.6
RUN mkdir -p /conda-envs/d715293cb22e049b3b89abe15a04d092
COPY envs/torch.yaml /conda-envs/d715293cb22e049b3b89abe15a04d092/environment.yaml

RUN conda env create --prefix /conda-envs/f1e5aa47036bdf96b9f5b4a4fb7c7e3a --file /conda-envs/f1e5aa47036bdf96b9f5b4a4fb7c7e3a/environment.yaml && \
    conda env create --prefix /conda-envs/6487b3ab6e7c2ccba3a01b273ff0f8a7 --file /conda-envs/6487b3ab6e7c2ccba3a01b273ff0f8a7/environment.yaml && \
    conda env create --prefix /conda-envs/7528a0949c05fd586ab5330883356fb4 --file /conda-envs/7528a0949c05fd586ab5330883356fb4/environment.yaml && \
    conda env create --prefix /conda-envs/d715293cb22e049b3b89abe15a04d092 --file /conda-envs/d715293cb22e049b3b89abe15a04d092/environment.yaml && \
    conda clean --all -y
