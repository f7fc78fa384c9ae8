FROM condaforge/miniforge3:latest
LABEL io.github.snakemake.containerized="true"
LABEL io.github.snakemake.conda_env_hash="7e051e1e9392fb406a3b4f5cd54b2a80dfc1354cb15e0b043a06fee59e1ace9b"
# Conda environment:
#   source: envs/acquire.yaml
#   prefix: /conda-envs/6089490e4304c595b73cb2a6b6ecbe7e
#   # Catalogues, search and download.
#   # Made by `python envs/make.py` from constraints.txt and from what the stages import.
#   name: crossres-acquire
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
#     - defusedxml=0.7.1
#     - geopandas=1.2.0
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
#     - zarr=3.1.6
RUN mkdir -p /conda-envs/6089490e4304c595b73cb2a6b6ecbe7e
COPY envs/acquire.yaml /conda-envs/6089490e4304c595b73cb2a6b6ecbe7e/environment.yaml
# Conda environment:
#   source: envs/evaluate.yaml
#   prefix: /conda-envs/91296e812e8d14aa2d134cc34c043af3
#   # Metrics, figures and the report.
#   # Made by `python envs/make.py` from constraints.txt and from what the stages import.
#   name: crossres-evaluate
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
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
#     - pytorch=2.13.0
#     - pyyaml=6.0.3
#     - rasterio=1.4.4
#     - safetensors=0.8.0
#     - scikit-image=0.26.0
#     - scipy=1.17.1
#     - shapely=2.2.0
#     - torchmetrics=1.9.0
#     - zarr=3.1.6
RUN mkdir -p /conda-envs/91296e812e8d14aa2d134cc34c043af3
COPY envs/evaluate.yaml /conda-envs/91296e812e8d14aa2d134cc34c043af3/environment.yaml
# Conda environment:
#   source: envs/geo.yaml
#   prefix: /conda-envs/72f029f6828b5c98f03f35fd7b481801
#   # Simulation, alignment, patches.
#   # Made by `python envs/make.py` from constraints.txt and from what the stages import.
#   name: crossres-geo
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
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
#     - zarr=3.1.6
RUN mkdir -p /conda-envs/72f029f6828b5c98f03f35fd7b481801
COPY envs/geo.yaml /conda-envs/72f029f6828b5c98f03f35fd7b481801/environment.yaml
# Conda environment:
#   source: envs/torch.yaml
#   prefix: /conda-envs/06baef2e697340981e32764cbb27d2d1
#   # Training and sampling; conda takes the CUDA build where it sees a GPU, else the CPU build.
#   # Made by `python envs/make.py` from constraints.txt and from what the stages import.
#   name: crossres-torch
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
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
#     - zarr=3.1.6
RUN mkdir -p /conda-envs/06baef2e697340981e32764cbb27d2d1
COPY envs/torch.yaml /conda-envs/06baef2e697340981e32764cbb27d2d1/environment.yaml

RUN conda env create --prefix /conda-envs/6089490e4304c595b73cb2a6b6ecbe7e --file /conda-envs/6089490e4304c595b73cb2a6b6ecbe7e/environment.yaml && \
    conda env create --prefix /conda-envs/91296e812e8d14aa2d134cc34c043af3 --file /conda-envs/91296e812e8d14aa2d134cc34c043af3/environment.yaml && \
    conda env create --prefix /conda-envs/72f029f6828b5c98f03f35fd7b481801 --file /conda-envs/72f029f6828b5c98f03f35fd7b481801/environment.yaml && \
    conda env create --prefix /conda-envs/06baef2e697340981e32764cbb27d2d1 --file /conda-envs/06baef2e697340981e32764cbb27d2d1/environment.yaml && \
    conda clean --all -y
