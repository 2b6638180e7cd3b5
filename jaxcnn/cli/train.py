"""`jaxcnn train`: train a network, and say what came out."""

from jaxcnn.train.config import TrainConfig

CHECKED_IMAGES = 8


def run(config: TrainConfig) -> int:
    """Train; returns 0, 1 if the handwritten gradients are wrong, or 130 after Ctrl-C."""
    from jaxcnn.cli.progress import Progress
    from jaxcnn.train.gradients import check_on_hardest
    from jaxcnn.train.loop import train

    with Progress() as progress:
        result = train(config, progress)
    if result.evaluation is None:
        print(f"stopped after step {int(result.state.step)}; go on with: {config.command()} --resume")
        print(f"run folder {result.run.path}")
        return 130
    check = check_on_hardest(result.experiment, result.state, result.evaluation, CHECKED_IMAGES)
    print(check)
    print(f"test accuracy {result.evaluation.accuracy:.4f}")
    print(f"run folder {result.run.path}")
    return 0 if check.agrees else 1
