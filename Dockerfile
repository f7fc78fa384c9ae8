FROM condaforge/miniforge3:latest
LABEL io.github.snakemake.containerized="true"
LABEL io.github.snakemake.conda_env_hash="14e6b732659bc8709b7b3149ddaed11b8f414ad2546aeb385390d422f032f0ae"
# Conda environment:
#   source: envs/acquire.yaml
#   prefix: /conda-envs/00c88abc964fca46d511212b1f6c0af3
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
#     - planetary-computer=1.0.0
#     - psutil=7.2.2
#     - pyarrow=26.0.1
#     - pydantic=2.14.3
#     - pyogrio=0.13.0
#     - pyproj=3.7.2
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
RUN mkdir -p /conda-envs/00c88abc964fca46d511212b1f6c0af3
COPY envs/acquire.yaml /conda-envs/00c88abc964fca46d511212b1f6c0af3/environment.yaml
# Conda environment:
#   source: envs/evaluate.yaml
#   prefix: /conda-envs/f550a6a99af759800c98807ac57150df
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
#     - pyyaml=6.0.3
#     - rasterio=1.4.4
#     - scikit-image=0.26.0
#     - scipy=1.17.1
#     - shapely=2.2.0
RUN mkdir -p /conda-envs/f550a6a99af759800c98807ac57150df
COPY envs/evaluate.yaml /conda-envs/f550a6a99af759800c98807ac57150df/environment.yaml
# Conda environment:
#   source: envs/geo.yaml
#   prefix: /conda-envs/8bfa8d9fd87c5e7a29cda13dc0aa5a9e
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
RUN mkdir -p /conda-envs/8bfa8d9fd87c5e7a29cda13dc0aa5a9e
COPY envs/geo.yaml /conda-envs/8bfa8d9fd87c5e7a29cda13dc0aa5a9e/environment.yaml
# Conda environment:
#   source: envs/torch.yaml
#   prefix: /conda-envs/ed1098728695d6e3df542f54883d6f78
#   # Training and sampling; conda takes the CUDA build where it sees a GPU, else the CPU build.
#   # Made by `python envs/make.py` from constraints.txt and from what the stages import.
#   name: crossres-torch
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python=3.11
#     - defusedxml=0.7.1
#     - matplotlib-base=3.11.2
#     - numpy=2.4.6
#     - odc-geo=0.5.3
#     - pandas=3.1.1
#     - psutil=7.2.2
#     - pyarrow=26.0.1
#     - pydantic=2.14.3
#     - pytorch=2.13.0
#     - pyyaml=6.0.3
#     - rasterio=1.4.4
#     - safetensors=0.8.0
#     - scipy=1.17.1
#     - shapely=2.2.0
#     - tqdm=4.70.1
#     - zarr=3.1.6
RUN mkdir -p /conda-envs/ed1098728695d6e3df542f54883d6f78
COPY envs/torch.yaml /conda-envs/ed1098728695d6e3df542f54883d6f78/environment.yaml

RUN conda env create --prefix /conda-envs/00c88abc964fca46d511212b1f6c0af3 --file /conda-envs/00c88abc964fca46d511212b1f6c0af3/environment.yaml && \
    conda env create --prefix /conda-envs/f550a6a99af759800c98807ac57150df --file /conda-envs/f550a6a99af759800c98807ac57150df/environment.yaml && \
    conda env create --prefix /conda-envs/8bfa8d9fd87c5e7a29cda13dc0aa5a9e --file /conda-envs/8bfa8d9fd87c5e7a29cda13dc0aa5a9e/environment.yaml && \
    conda env create --prefix /conda-envs/ed1098728695d6e3df542f54883d6f78 --file /conda-envs/ed1098728695d6e3df542f54883d6f78/environment.yaml && \
    conda clean --all -y
