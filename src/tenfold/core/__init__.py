"""What every system shares and that knows no system.

| module | holds | main names |
|---|---|---|
| `errors` | the errors that a user sees | `TenfoldError`, `BadInput`, `DataMissing`, ... |
| `extras` | optional packages, loaded when needed | `require(module, extra)` |
| `files` | reading hostile files and writing atomically | `write_atomic`, `read_json`, `read_npz`, ... |
| `data` | data sets by name, verified | `catalogue`, `locate`, `fetch`, `verify` |
| `runs` | a run is a folder that can be resumed | `Run.open(folder, system=, config=)`, `manifest()` |
| `checkpoint` | safetensors + JSON, checked on load | `save(path, tensors, meta)`, `load(path, system=)` |
| `train` | the one training loop, on Lightning Fabric | `fit(module, loss, batches, optimizer, config, run)` |
| `parallel` | one map, on processes or on Ray | `parallel_map(function, items, engine=, workers=)` |
| `progress` | rates and time left, on stderr only | `track(items, title)`, `Meter` |
| `experiment` | rows, intervals, claims and their verdicts | `Row`, `Claim`, `Experiment`, `bootstrap_interval` |
| `claims` | the ledger of what the papers say | `ledger()` |
| `report` | one self-contained HTML file | `Section`, `write_report` |
| `console` | what every command shares: options, JSON or text | `emit`, `say`, `Json`, `Seed`, `Device`, `Out` |
| `keeping` | what a page made for a visitor, found again by an unguessable word | `Keeper(most)` |
| `sentences`, `watching` | a page's errors in words; long work that is watched | `sentences(callback)`, `watched(work)` |
| `theme` | colours and fonts of every picture and page | `PALETTE`, `style_figure`, `matplotlib_style` |

Import modules by name (`from tenfold.core import runs`); only `train` and `checkpoint` import torch.
"""
