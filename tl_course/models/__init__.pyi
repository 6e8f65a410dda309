from .classifier import Classifier as Classifier
from .classifier import Prediction as Prediction
from .classifier import score as score
from .explain import occlusion_map as occlusion_map
from .heads import fit_head as fit_head
from .heads import logistic_regression as logistic_regression
from .history import History as History

__all__ = ["Classifier", "History", "Prediction", "fit_head", "logistic_regression", "occlusion_map", "score"]
