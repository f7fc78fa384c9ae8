FROM condaforge/miniforge3:latest
LABEL io.github.snakemake.containerized="true"
LABEL io.github.snakemake.conda_env_hash="65610d347dde4ea48d929bb25b78f1acf57cf24e1ab1b3e3a16ec197b47d192c"
