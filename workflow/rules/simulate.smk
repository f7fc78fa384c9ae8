"""The embedded default's world: a landscape seen by two sensors.

Needs: nothing; unused when `simulate` is null.
Gives: world/catalog.json (a static STAC catalogue of Sentinel-2), world/dem.vrt and
world/places/<place>/gaofen2 (L1A packages), which later stages read as anybody's data.
"""

if CONFIG.simulate is not None:
    from crossres.simulate.place_names import place_names

    PLACES = place_names(CONFIG.simulate)
else:
    PLACES = []


rule simulate:
    output:
        directory(f"{RUN}/world/places/{{place}}"),
    log:
        f"{RUN}/logs/simulate/{{place}}.log",
    benchmark:
        f"{RUN}/benchmarks/simulate/{{place}}.tsv"
    cache: SHARED
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(3000),
        runtime=minutes(10),
    params:
        settings=settings("simulate"),
        place=lambda wildcards: wildcards.place,
        code=code("simulate"),
    message:
        "Simulate {wildcards.place}: a landscape, and Sentinel-2 and Gaofen-2 over it"
    shell:
        "python -m crossres simulate --settings {params.settings:q} --place {wildcards.place:q}"
        " --output {output:q} > {log:q} 2>&1"


rule link_world:
    input:
        places=expand(f"{RUN}/world/places/{{place}}", place=PLACES),
    output:
        catalog=f"{RUN}/world/catalog.json",
        dem=f"{RUN}/world/dem.vrt",
    log:
        f"{RUN}/logs/link_world.log",
    benchmark:
        f"{RUN}/benchmarks/link_world.tsv"
    localrule: True
    conda:
        "../../envs/geo.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=minutes(5),
    params:
        settings=settings("link_world"),
        folder=folder_of("catalog"),
        code=code("link_world"),
    message:
        "Link the simulated places to one catalogue"
    shell:
        "python -m crossres link-world --settings {params.settings:q} --places {input.places:q}"
        " --output {params.folder:q} > {log:q} 2>&1"
