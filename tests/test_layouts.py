"""How folders are understood: a table of trees, each with what it must give. The rules: docs/folders.md."""

import inspect
import sys
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trees import grow, image, zipped

from tl_course import ImageSet
from tl_course.cli import main
from tl_course.data.splits import split_named
from tl_course.errors import ImageSetError, TLCourseWarning
from tl_course.sources import named

ABOVE = {"label_from": r"^(?P<label>[^/]+)/"}
BELOW = {"label_from": r"^[^/]+/(?P<label>[^/]+)/"}


def opened(where: Path, **how: Any) -> tuple[ImageSet, list[str]]:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", TLCourseWarning)
        images = ImageSet.open(where, **how)
    return images, [str(one.message) for one in said]


def told(images: ImageSet) -> str:
    """Its labels and splits, as in "cat 3, dog 3; 4 to train, 2 to validate"."""
    return repr(images).splitlines()[0].partition("pictures (")[2].replace(");", ";")


PLAIN = "cat 3, dog 3; 4 to train, 2 to validate"
SPLIT = "cat 6, dog 6; 6 to train, 6 to validate"
TEST = "cat 6, dog 6; 4 to train, 2 to validate, 6 to test"
TWO = "x 2, y 2; 2 to train, 2 to validate"
HALF = "x 2, y 2; 2 to train, 0 to validate, 2 to test"

# What is read: a tree, what it gives, how it was understood, and what is passed over and why (part of the reason).
READ: dict[str, tuple[str, str, str, dict[str, str]]] = {
    # ---- folders of labels
    "class folders": ("{cat,dog}/3", PLAIN, "class folders", {}),
    "litter and hidden files": (
        "{cat,dog}/3\n{cat,dog}/Thumbs.db: x\n__MACOSX/cat/3\n.git/x/2\ncat/.DS_Store: x", PLAIN, "class folders", {},
    ),
    "deeper folders belong to their label": ("{cat,dog}/deeper/3", PLAIN, "class folders", {}),
    "a label with folders beside its images": (
        "{cat,dog}/2\ncat/{near,far}/2", "cat 6, dog 2; 6 to train, 2 to validate", "class folders", {},
    ),
    "numbers as labels": ("{0,1}/3", "0 3, 1 3; 4 to train, 2 to validate", "class folders", {}),
    "masks of faces": ("{mask,no_mask}/3", "mask 3, no_mask 3; 4 to train, 2 to validate", "class folders", {}),
    "labels with a split's word in them": (
        "{test tube,beaker}/3", "beaker 3, test tube 3; 4 to train, 2 to validate", "class folders", {},
    ),
    "an image and a zip beside folders": (
        "{cat,dog}/3\nlogo.png\nbird.zip: x", PLAIN, "class folders",
        {"logo.png": "lies in no class folder", "bird.zip": "not opened"},
    ),
    "a table that says the same": (
        "{cat,dog}/3\nlabels.csv: path,label | cat/0.jpg,cat | dog/1.jpg,dog", PLAIN, "class folders", {},
    ),
    "a table of something else": (
        "{cat,dog}/3\nwho.csv: file,author | cat/0.jpg,Ann\nnotes.csv: day,weather | 1,rain", PLAIN, "class folders",
        {"who.csv": "folders say the labels; it lacks the column label"},
    ),
    "formats that are not read": (
        "{cat,dog}/3\ncat/{a.jxl,b.heic}: x", PLAIN, "class folders", {"cat/a.jxl": "HEIC", "cat/b.heic": "HEIC"},
    ),
    "masks beside images": (
        "{cat,dog}/{0,1,2}.jpg\ncat/0_mask.png", PLAIN, "class folders", {"cat/0_mask.png": "a mask of 0, beside it"},
    ),
    # ---- wrapped
    "wrapped beside a readme": ("PetImages/{cat,dog}/3\nreadme.txt: x", PLAIN, "class folders, below PetImages/", {}),
    "wrapped three times": ("a/b/c/{cat,dog}/3\na/b/readme.txt: x", PLAIN, "class folders, below a/b/c/", {}),
    "wrapped, with stray images": (
        "pets/{cat,dog}/3\npets/sheet.jpg\nlogo.png", PLAIN, "class folders, below pets/",
        {"sheet.jpg": "lies in no class folder", "../logo.png": "beside the folder of the set"},
    ),
    "annotations beside folders of images": (
        "Images/{cat,dog}/3\nAnnotation/{cat,dog}/{0,1,2}: <xml/>", PLAIN, "class folders, below Images/", {},
    ),
    "words that mean something to some": (
        "{none,other}/3", "none 3, other 3; 4 to train, 2 to validate", "class folders", {},
    ),
    # ---- splits
    "train and val": ("{train,val}/{cat,dog}/3", SPLIT, "class folders inside train/ and val/ (valid)", {}),
    "train and eval": ("{train,eval}/{cat,dog}/3", TEST, "class folders inside train/ and eval/ (test)", {}),
    "Training Data and hold-out": (
        "{Training Data,hold-out}/{cat,dog}/3", TEST,
        "class folders inside Training Data/ (train) and hold-out/ (test)", {},
    ),
    "train and unseen": (
        "{train,unseen}/{cat,dog}/3", TEST, "class folders inside train/ and unseen/ (test)", {},
    ),
    "what is not labelled, beside train": (
        "train/{cat,dog}/3\nunlabeled/1\ndocs/1", PLAIN, "class folders inside train/",
        {"unlabeled/0.jpg": "no split and no label", "docs/0.jpg": "no split and no label"},
    ),
    "lists that say what the folders say": (
        "{train,val}/{cat,dog}/3\nval.txt: val/cat/0.jpg 0 | val/dog/1.jpg 1\ntrain.txt: cat/0.jpg | dog/0.jpg", SPLIT,
        "class folders inside train/ and val/ (valid)", {},
    ),
    "prose about a test": (
        "{cat,dog}/3\ntest_notes.txt: We made a test with cat/0.jpg and it was fine.", PLAIN, "class folders", {},
    ),
    "train1, train2 and test1": (
        "{train1,train2,test1}/{cat,dog}/2", "cat 6, dog 6; 6 to train, 2 to validate, 4 to test",
        "class folders inside train1/ (train), train2/ (train) and test1/ (test)", {},
    ),
    "another word that all share": (
        "flowers_{train,test}/{cat,dog}/3", TEST,
        "class folders inside flowers_train/ (train) and flowers_test/ (test)", {},
    ),
    "doubled": (
        "training_set/training_set/{cat,dog}/3\ntest_set/test_set/{cat,dog}/3", TEST,
        "class folders inside training_set/ (train) and test_set/ (test)", {},
    ),
    "doubled, with a word of their own": (
        "seg_train/seg_train/{cat,dog}/3\nseg_test/seg_test/{cat,dog}/3\nseg_pred/seg_pred/1", TEST,
        "class folders inside seg_train/ (train) and seg_test/ (test)",
        {"seg_pred/seg_pred/0.jpg": "no split and no label"},
    ),
    "images/ in each": ("{train,val}/images/{cat,dog}/3", SPLIT, "class folders inside train/ and val/ (valid)", {}),
    "wrapped and wrapping": (
        "set/{train,val}/pets/{cat,dog}/3", SPLIT, "class folders inside train/ and val/ (valid), below set/", {},
    ),
    "a stray image": (
        "{train,val}/{cat,dog}/3\ntrain/sheet.jpg", SPLIT, "class folders inside train/ and val/ (valid)",
        {"train/sheet.jpg": "lies in no class folder"},
    ),
    "a folder without images": (
        "{train,val}/{cat,dog}/3\ndocs/readme.txt: x", SPLIT, "class folders inside train/ and val/ (valid)",
        {"docs/": "without a picture"},
    ),
    "an unlabelled test": (
        "{train,val}/{cat,dog}/3\ntest/2", SPLIT, "class folders inside train/ and val/ (valid)",
        {"test/0.jpg": "lies in no class folder", "test/1.jpg": "lies in no class folder"},
    ),
    "an unlabelled test, called unknown": (
        "{train,val}/{cat,dog}/3\ntest/unknown/1", SPLIT, "class folders inside train/, val/ (valid) and test/",
        {"test/unknown/0.jpg": "no such folder to train on"},
    ),
    "a copy of itself": (
        "{train,val}/{cat,dog}/3\nsample/{train,val}/cat/1", SPLIT, "class folders inside train/ and val/ (valid)",
        {"sample/train/cat/0.jpg": "no split and no label", "sample/val/cat/0.jpg": "no split and no label"},
    ),
    "a label that is nowhere trained on": (
        "{train,val}/{cat,dog}/3\nval/{bird,Cat}/1", SPLIT, "class folders inside train/ and val/ (valid)",
        {"val/bird/0.jpg": "no such folder to train on", "val/Cat/0.jpg": "where it is called 'cat' to train on"},
    ),
    "a table for the rest": (
        "train/{cat,dog}/3\nTest/a.jpg\nTest.csv: ClassId,Path | 0,Test/a.jpg", PLAIN, "class folders inside train/",
        {"Test/a.jpg": "lies in no class folder", "Test.csv": "it has some for other images"},
    ),
    "valid and test alone": (
        "{valid,test}/{cat,dog}/3", "cat 6, dog 6; 0 to train, 6 to validate, 6 to test",
        "class folders inside valid/ and test/", {},
    ),
    "test beside class folders": (
        "{cat,dog}/3\ntest/{cat,dog}/3", TEST, "class folders inside test/ and beside", {},
    ),
    "splits inside each label": (
        "{cat,dog}/{train,val}/3", SPLIT, "class folders with train and val inside each", {},
    ),
    # ---- tables of a convention
    "metadata in split folders": (
        "{train,test}/{a,b}.jpg\n{train,test}/metadata.csv: file_name,label | a.jpg,x | b.jpg,y", HALF,
        "metadata.csv inside test/, train/", {},
    ),
    "metadata.jsonl in split folders": (
        'd/{train,test}/{a,b}.jpg\nd/{train,test}/metadata.jsonl: {"file_name": "a.jpg", "label": "x"} '
        '| {"image": 1, "file_name": "b.jpg", "label": ["y"]}', HALF,
        "metadata.jsonl inside test/, train/, below d/", {},
    ),
    "metadata above split folders": (
        "{train,test}/{a,b}.jpg\n"
        "metadata.csv: image,label | train/a.jpg,x | train/b.jpg,y | test/a.jpg,x | test/b.jpg,y",
        HALF, "metadata.csv (files in 'image', labels in 'label')", {},
    ),
    "a split that is not known": (
        "{a,b,c,d,e}.jpg\nmetadata.csv: file_name,label,split | a.jpg,x,train | b.jpg,y,train | c.jpg,x,test "
        "| d.jpg,y,test | e.jpg,x,Fold 3", HALF, "metadata.csv", {"e.jpg": "'Fold 3', is not known"},
    ),
    "vehicles in a table": (
        "{train,plane}/{a,b}.jpg\nmetadata.csv: file_name,label | train/a.jpg,train | train/b.jpg,train "
        "| plane/a.jpg,plane | plane/b.jpg,plane", "plane 2, train 2; 2 to train, 2 to validate", "metadata.csv", {},
    ),
    "Roboflow": (
        "{train,valid}/{a,b,c,d}_jpg.rf.0f.jpg\n{train,valid}/_classes.csv: filename, x, y | a_jpg.rf.0f.jpg, 1, 0 "
        "| b_jpg.rf.0f.jpg, 0, 1 | c_jpg.rf.0f.jpg, 1, 1 | d_jpg.rf.0f.jpg, 0, 0", TWO,
        "_classes.csv inside train/, valid/ (files in 'filename', a column for each label)",
        {f"{split}/{name}_jpg.rf.0f.jpg": why for split in ("train", "valid")
         for name, why in (("c", "has 2 labels (x, y)"), ("d", "has no label"))},
    ),
    "commas without quotes": (
        "{a,b,c,d,e}.jpg\nmetadata.csv: file_name,label | a.jpg,x | b.jpg,y | c.jpg,x | d.jpg,y | e.jpg,x, or y", TWO,
        "metadata.csv", {"e.jpg": "more cells than there are columns"},
    ),
    # ---- other tables
    "Kaggle: ids, a form for answers": (
        "train/{a,b,c,d}.jpg\ntest/e.jpg\nlabels.csv: id,breed | a,x | b,y | c,x | d,y\n"
        "sample_submission.csv: id,breed | e,x", TWO, "labels.csv (files in 'id', labels in 'breed')",
        {"test/e.jpg": "not in labels.csv", "sample_submission.csv": "form for answers"},
    ),
    "Kaggle: train.csv goes with train/": (
        "train/{0,1,2,3}.jpg\ntest/{0,1}.jpg\ntrain.csv: id,label | 0,x | 1,y | 2,x | 3,y\ntest.csv: id | 0 | 1", TWO,
        "train.csv (files in 'id', labels in 'label')",
        {"test/0.jpg": "not in train.csv", "test/1.jpg": "not in train.csv", "test.csv": "lacks the column label"},
    ),
    "a column for each label": (
        "images/{a,b,c,d}.jpg\ntrain.csv: image_id,x,y | a,1,0 | b,0,1 | c,1,0 | d,0,1", TWO,
        "train.csv (files in 'image_id', a column for each label)", {},
    ),
    "paths of another machine": (
        "p/{a,b,c,d}.jpg\nall.csv: path;class | C:\\pets\\a.jpg;x | ../in/p/b.jpg;y | /k/p/c.jpg;x | d.jpg;y", TWO,
        "all.csv (files in 'path', labels in 'class')", {},
    ),
    "fastai's is_valid": (
        "{a,b,c,d}.jpg\nlabels.csv: name,label,is_valid | a.jpg,x,False | b.jpg,y,0 | c.jpg,x,True | d.jpg,y,1", TWO,
        "labels.csv (files in 'name', labels in 'label')", {},
    ),
    "a column that asks for a test": (
        "{a,b,c,d}.jpg\nl.csv: file,label,is_test | a.jpg,x,0 | b.jpg,y,no | c.jpg,x,1 | d.jpg,y,True", HALF,
        "l.csv (files in 'file', labels in 'label')", {},
    ),
    "a column that asks whether to train": (
        "{a,b,c,d}.jpg\nl.csv: file,label,is_training_img | a.jpg,x,1 | b.jpg,y,1 | c.jpg,x,0 | d.jpg,y,0", HALF,
        "l.csv (files in 'file', labels in 'label')", {},
    ),
    "a column of splits by what stands in it": (
        "{a,b,c,d}.jpg\nl.csv: file,label,used for | a.jpg,x,Training | b.jpg,y,Training | c.jpg,x,Test | d.jpg,y,Test",
        HALF, "l.csv (files in 'file', labels in 'label')", {},
    ),
    "files called like splits": (
        "{train_1,train_2,test_1,test_2}.jpg\nl.csv: id,label | train_1,x | train_2,y | test_1,x | test_2,y", TWO,
        "l.csv (files in 'id', labels in 'label')", {},
    ),
    "labels called like splits": (
        "{a,b,c,d}.jpg\nl.csv: file,test,plane | a.jpg,1,0 | b.jpg,0,1 | c.jpg,1,0 | d.jpg,0,1",
        "plane 2, test 2; 2 to train, 2 to validate", "l.csv (files in 'file', a column for each label)", {},
    ),
    "several labels in a cell, and none": (
        "{a,b,c,d,e,f,g}.jpg\n"
        "l.csv: file,label | a.jpg,x | b.jpg,y | c.jpg,x | d.jpg,y | e.jpg,x y | f.jpg,y;x | g.jpg,NaN",
        TWO, "l.csv (files in 'file', labels in 'label')",
        {"e.jpg": "2 labels (x, y)", "f.jpg": "2 labels (y, x)", "g.jpg": "no label (NaN)"},
    ),
    "a sign within each label": (
        "{a,b,c,d}.jpg\nl.csv: file;label | a.jpg;cat, tabby | b.jpg;dog, pug | c.jpg;cat, tabby | d.jpg;dog, pug",
        "cat, tabby 2, dog, pug 2; 2 to train, 2 to validate", "l.csv (files in 'file', labels in 'label')", {},
    ),
    "words that a label shares": (
        "{a,b,c,d}.jpg\nl.csv: file,label | a.jpg,polar bear | b.jpg,bear | c.jpg,polar bear | d.jpg,bear",
        "bear 2, polar bear 2; 2 to train, 2 to validate", "l.csv (files in 'file', labels in 'label')", {},
    ),
    "names in another case": (
        "Train/{A,B,C,D}.JPG\n"
        "metadata.csv: file_name,label | train/a.jpg,x | train/b.jpg,y | train/c.jpg,x | train/D.jpg,y",
        TWO, "metadata.csv", {},
    ),
    "a table a split": (
        "images/{a,b,c,d}.jpg\ntrain.csv: file,label | a.jpg,x | b.jpg,y\nvalid.csv: file,label | c.jpg,x | d.jpg,y",
        TWO,
        "train.csv and valid.csv (files in 'file', labels in 'label')", {},
    ),
}  # fmt: skip

# What is refused, and what the message has to say.
REFUSED: dict[str, tuple[str, str]] = {
    "vehicles": ("{train,plane,car}/2", r"images lie in train, .* and in car and plane\. If train is a label"),
    "an unlabelled test beside labels": ("{test,cat,dog}/2", "images lie in test, .* move it"),
    "labels or sets": ("animals/{cat,dog}/2\nplants/{fern,moss}/2", "animals and plants hold no images but folders"),
    "labels or sets, inside splits": (
        "{train,val}/{beast/cat,beast/dog,bird/owl}/2",
        r"label_from=r\"\^\[\^/\]\+/\(\?P<label>\S+ for beast, bird",
    ),
    "what has no label is none": ("{cat,dog,unlabelled}/2", "unlabelled, beside cat and dog, says nothing"),
    "a wrapper beside images": ("PetImages/{cat,dog}/2\nother/2", "PetImages holds no images but .*cat and dog"),
    "a wrapper beside its documents": (
        "PetImages/{cat,dog}/2\ndocs/2", "name docs, .*says nothing about what.*open PetImages itself",
    ),
    "splits in another language": ("{entrenamiento,prueba}/{gato,perro}/2", "call them train, valid and test"),
    "folds": ("fold{1,2,3}/{cat,dog}/2", "names fold1, fold2 and fold3 say nothing"),
    "results beside labels": ("{cat,dog}/2\nresults/loss.png", "name results, beside cat and dog, says nothing"),
    "what computers call a folder": ("{cat,dog,New folder (2)}/2", "name New folder .2., .*says nothing"),
    "folders of a camera": ("DCIM/{100APPLE,101APPLE}/2", "names 100APPLE and 101APPLE say nothing"),
    "folders of days": ("{2024-05-01,2024-05-02}/2", "names 2024-05-01 and 2024-05-02 say nothing"),
    "folders of years": ("T/Photos from {2020,2021}/2", "say nothing about what is shown"),
    "what is held out, by a text": (
        "images/{cat,dog}/3\nmeta/train.txt: cat/0 | dog/0\nmeta/test.txt: cat/1 | dog/1",
        r"meta/test\.txt keeps cat/1\.jpg for the test.*\^\(\?P<label>",
    ),
    "what is held out, by a table's name": (
        "{cat,dog}/3\nvalid.csv: file,label | cat/2.jpg,cat", r"valid\.csv keeps cat/2\.jpg for validation",
    ),
    "what is held out, by a table's column": (
        "images/{cat,dog}/3\na/all.csv: file,split | cat/0.jpg,train | dog/1.jpg,test",
        r"a/all\.csv keeps dog/1\.jpg for",
    ),
    "what is held out, beside a table": (
        "{a,b}.jpg\nlabels.csv: file,label | a.jpg,x | b.jpg,y\ntest.txt: b.jpg", "test.txt keeps b.jpg .*table=",
    ),
    "unknown parts": ("{a,b}.jpg\nl.csv: file,label,partition | a.jpg,x,0 | b.jpg,y,1", "'0', is not known.*columns="),
    "files that are not there": ("{a,b}.png\nl.csv: file,label | a.jpg,x | b.jpg,y", "no file that is there in 'file'"),
    "held out by a word in the name": (
        "val-{cat,dog}/2", r"a split and a label in one.*<split>\[a-z\]\+\)-\(\?P<label",
    ),
    "two things in a name, and another folder": ("{train,test}_{cat,dog}/2\nx/2", "a split and a label in one"),
    "parts": ("HAM_part_{1,2}/2\nHAM.csv: image_id,dx | 0,nv", "say nothing about .*HAM.csv lacks the column label"),
    "split and label in one": ("{train,test}_{cat,dog}/2", r"a split and a label in one.*\(\?P<split>"),
    "split and label in one, not for all": ("{train_cat,train_dog,test_dog}/2", r"a split and a label in one.*\(\?P<s"),
    "splits without labels, and others": ("{train,test,plane}/2", r"If test and train are labels .* move them"),
    "a split for one label only": ("cat/{train,val}/2\ndog/2", "cat/train/ and cat/val/.* one for each label"),
    "a split inside a label": ("{cat,dog}/2\ncat/test/1", "some images lie in cat/test/"),
    "two sets": ("{small,large}/{train,val}/{cat,dog}/1", "a set of its own.*Open the one"),
    "a copy beside its labels": ("{cat,dog}/2\nPetImages/{cat,dog}/2", "PetImages/ holds folders called like those"),
    "no label in common": ("train/{cat,dog}/2\nval/{cats,dogs}/2", "no name in common"),
    "a label or a wrapper": ("bird/6\nbird/{near,far}/2", "the only folder, bird/, holds images of its own as well"),
    "images only": ("images/3", r"lie in images/, in no folder.*into a folder named after it"),
    "names that may carry the label": (
        "train/{cat,dog}.{0,1,2}.jpg\ntest1/2", r"names begin with the label \(cat, dog\).*label_from=",
    ),
    "masks": ("{images,masks}/2", "looks like a set for segmentation"),
    "masks of what is trained on": ("train/2\ntrain_masks/2", "looks like a set for segmentation"),
    "COCO": ("{train,valid}/2\n{train,valid}/_annotations.coco.json: {}", "COCO's form.*Boxes and outlines"),
    "YOLO": ("train/images/2\ntrain/labels/{0,1}.txt: 0 .5 .5 1 1\ndata.yaml: x", "YOLO's form"),
    "Pascal VOC": ("JPEGImages/2\nAnnotations/{0,1}.xml: <a/>", "Pascal VOC's form"),
    "two tables": ("{a,b}.jpg\n{one,two}.csv: file,label | a.jpg,x", "more than one table has labels.*table='one.csv'"),
    "two kinds of metadata": (
        'a.jpg\nmetadata.csv: file_name,label | a.jpg,x\nmetadata.jsonl: {"file_name": "a.jpg"}', "tables of two kinds",
    ),
    "Parquet": ("a.jpg\nmetadata.parquet: PAR1", "is not read.*to_csv"),
    "two columns of one name": ("a.jpg\nmetadata.csv: file_name,label,label | a.jpg,x,y", "two columns called 'label'"),
    "two values of one name": ('a.jpg\nmetadata.jsonl: {"file_name": "a.jpg", "label": 1, "label": 2}', "two values"),
    "two columns of labels": (
        "{a,b}.jpg\nl.csv: file,species,breed | a.jpg,x,p | b.jpg,x,q", r"'species' and 'breed': .*columns=\{'label'",
    ),
    "two columns of files": (
        "{a,b}.jpg\nmetadata.csv: left_file_name,right_file_name,label | a.jpg,b.jpg,x", "more than one column of file",
    ),
    "several labels an image": ("{a,b}.jpg\nt.csv: image,x,y | a.jpg,1,1 | b.jpg,0,1", "rows with several labels"),
    "a table against folders": ("{p,q}/{a,b}.jpg\nl.csv: path,label | p/a.jpg,x | p/b.jpg,y", "contradict each other"),
    "splits in a table beside folders": ("{cat,dog}/2\ns.csv: file,split | cat/0.jpg,test", "a split .* do not have"),
    "only unknown splits": ("{a,b}.jpg\nmetadata.csv: file_name,label,split | a.jpg,x,f1", "'f1', is not known"),
    "a zip alone": ("pets.zip: x", "Open the zip itself"),
    "nothing": ("readme.txt: x", "there is no image in it"),
}  # fmt: skip

# What the caller says about it, and what that gives.
SAID: dict[str, tuple[str, dict[str, Any], str]] = {
    "train is a label": ("{train,plane}/3", ABOVE, "plane 3, train 3; 4 to train, 2 to validate"),
    "the outer folders": ("{cat,dog}/{near,far}/2", ABOVE, "cat 4, dog 4; 6 to train, 2 to validate"),
    "the inner folders": ("{here,there}/{cat,dog}/2", BELOW, "cat 4, dog 4; 6 to train, 2 to validate"),
    "names of files": ("p/{cat,dog}_{0,1,2}.jpg", {"label_from": "^(?P<label>[a-z]+)_"}, PLAIN),
    "names of files in splits": (
        "{train,val}/{cat,dog}{0,1,2}.jpg\ntest/{0,1}.jpg", {"label_from": r"^(?P<label>[^\W\d]+)"}, SPLIT,
    ),
    "split and label": (
        "{train,test}_{cat,dog}/3", {"label_from": r"^(?P<split>\w+)_(?P<label>[^/]+)/"}, TEST,
    ),
    "which table": (
        "{a,b,c,d}.jpg\n{p,q}.csv: file,label | a.jpg,x | b.jpg,y | c.jpg,x | d.jpg,y", {"table": "p.csv"}, TWO,
    ),
    "which columns": (
        "{a,b,c,d}.jpg\nl.csv: nr,dx,age | a,x,1 | b,y,2 | c,x,3 | d,y,4",
        {"columns": {"file_name": "nr", "label": "dx"}}, TWO,
    ),
    "no split": (
        "{a,b,c,d}.jpg\nmetadata.csv: file_name,label,split | a.jpg,x,1 | b.jpg,y,2 | c.jpg,x,1 | d.jpg,y,2",
        {"columns": {"split": ""}}, TWO,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_what_is_certain_is_read_and_the_rest_is_named(tmp_path: Path, name: str) -> None:
    tree, gives, layout, skipped = READ[name]
    root = grow(tmp_path / "set", tree)
    images, said = opened(root)
    assert (told(images), images.layout) == (gives, layout)
    reasons = dict(images.skipped)
    assert reasons.keys() == skipped.keys() and all(why in reasons[what] for what, why in skipped.items())
    assert any("skipped" in text for text in said) == bool(skipped)
    from_zip, _ = opened(zipped(root, tmp_path / "set.zip"))
    assert (list(from_zip), from_zip.layout, dict(from_zip.skipped)) == (list(images), layout, reasons)
    images.save()  # and the table that is written says the same, whoever reads it
    again, _ = opened(images.root)
    assert {one.file_name: (one.label, one.split) for one in again} == {
        one.file_name: (one.label, one.split) for one in images
    }


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_certain_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    tree, message = REFUSED[name]
    root = grow(tmp_path / "set", tree)
    with pytest.raises(ImageSetError, match=f"(?s){message}"):
        ImageSet.open(root)
    with pytest.raises(ImageSetError, match=f"(?s)^set\\.zip.*{message}"):
        ImageSet.open(zipped(root, tmp_path / "set.zip"))
    with pytest.raises(ImageSetError, match=f"(?s){message}"):
        named("folder", root)


@pytest.mark.parametrize("name", SAID)
def test_what_the_caller_says_decides(tmp_path: Path, name: str) -> None:
    tree, how, gives = SAID[name]
    images, _ = opened(grow(tmp_path / "set", tree), **how)
    assert told(images) == gives
    images.drop(images[0])  # which writes the table: from then on it need not be said again, and may be
    assert opened(images.root)[0].counts() == opened(images.root, **how)[0].counts() == images.counts()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"label_from": "("}, "no regular expression"),
        ({"label_from": "cat"}, "no group called label"),
        ({"label_from": "(?P<label>x)_"}, "no picture that can be used"),
        ({"table": "labels.csv"}, "there is no table labels.csv"),
        ({"columns": {"label": "breed"}}, "it has 0 tables"),
    ],
)
def test_what_the_caller_says_wrongly_is_told(tmp_path: Path, how: dict[str, Any], message: str) -> None:
    with pytest.raises(ImageSetError, match=message):
        ImageSet.open(grow(tmp_path / "set", "{cat,dog}/2"), **how)


def test_the_command_says_how_a_folder_was_read_and_takes_what_is_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pets = grow(tmp_path / "pets", "{train,val}/{cat,dog}/3")
    assert main(["images", "info", str(pets)]) == 0
    assert "read as: class folders inside train/ and val/ (valid)" in capsys.readouterr().out
    flat = grow(tmp_path / "flat", "{a,b}.jpg\nl.csv: nr,dx | a,x | b,y")
    assert main(["images", "info", str(flat), "--column", "file_name=nr", "--column", "label=dx", "--json"]) == 0
    assert "\"layout\": \"l.csv (files in 'nr', labels in 'dx')\"" in capsys.readouterr().out
    assert main(["images", "info", str(flat), "--column", "x=y"]) == 1
    assert "give file_name=NAME" in capsys.readouterr().err
    assert main(["images", "info", str(pets), "--label-from", r"^[^/]+/(?P<label>[^/]+)/"]) == 0
    assert "read as: the pattern" in capsys.readouterr().out


def test_collecting_from_a_folder_takes_what_is_meant_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place, here = tmp_path / "mine", grow(tmp_path / "pets", "{cat,dog}_{0,1}.jpg")
    collect = ["images", "collect", str(place), "--source"]
    assert main([*collect, str(here)]) == 1 and "label_from" in capsys.readouterr().err
    assert main([*collect, str(here), "--label-from", "^(?P<label>[a-z]+)_"]) == 1  # none is kept: 8 pixels are too few
    assert "(cat 0, dog 0)" in capsys.readouterr().out
    assert main(["images", "collect", str(place), "cat", "--source", "openverse", "--table", "labels.csv"]) == 1
    assert "is no folder and no zip. Leave table out" in capsys.readouterr().err


def test_no_training_on_what_is_to_validate_and_test_on(tmp_path: Path) -> None:
    images = ImageSet.open(grow(tmp_path / "set", "{valid,test}/{cat,dog}/3"))
    with pytest.raises(ImageSetError, match=r"no picture to train on.*inside valid/ and test/.*Add a folder train/"):
        images.check_trainable()


def test_a_table_in_utf_16_is_read(tmp_path: Path) -> None:
    root = grow(tmp_path / "set", "{a,b,c,d}.jpg")
    (root / "l.csv").write_text(
        "file\tlabel\na.jpg\tx\nb.jpg\ty\nc.jpg\tx\nd.jpg\ty\n", "utf-16"
    )  # Excel's "Unicode text"
    assert told(opened(root)[0]) == TWO


def test_an_image_added_by_hand_is_taken_in_where_its_folder_says_what_it_is(tmp_path: Path) -> None:
    root = grow(tmp_path / "set", "{train,test}/{cat,dog}/5")
    ImageSet.open(root).save()
    grow(root, "train/cat/new.jpg\ntest/dog/new.jpg\nother/new.jpg\ntrain/new.jpg")
    images, _ = opened(root)
    assert dict(images.skipped).keys() == {"other/new.jpg", "train/new.jpg"}
    assert (images["train/cat/new.jpg"].label, images["train/cat/new.jpg"].split != "test") == ("cat", True)
    assert (images["test/dog/new.jpg"].label, images["test/dog/new.jpg"].split) == ("dog", "test")


def test_a_zip_for_each_label(tmp_path: Path) -> None:
    root = tmp_path / "hands"
    for name, folder in (("rock-samples", ""), ("paper", "paper/"), ("rock-samples (1)", "")):
        grow(tmp_path / name, f"{folder}{{a,b,c}}.jpg".replace("{a", f"{{{name[0]}{len(name)}"))
        root.mkdir(exist_ok=True)
        zipped(tmp_path / name, root / f"{name}.zip")
    images, _ = opened(root)
    assert (Counter(one.label for one in images), images.layout) == ({"rock": 6, "paper": 3}, "a zip for each label")
    assert told(opened(zipped(root, tmp_path / "all.zip"))[0]) == told(images)
    with pytest.raises(ImageSetError, match=r"unpacked into the cache.*copy"):
        images.drop(images[0])
    (root / "scissors.zip").write_bytes(zipped(grow(tmp_path / "s", "{cat,dog}/2"), tmp_path / "s.zip").read_bytes())
    with pytest.raises(ImageSetError, match=r"zip of 'scissors' holds folders of images \(cat, dog\)"):
        ImageSet.open(root)


@pytest.mark.parametrize(("name", "split"), [
    ("train", "train"), ("Training_Set", "train"), ("trainLabels", "train"), ("train-00001-of-00005", "train"),
    ("VAL", "valid"), ("validation images", "valid"), ("dev", "valid"), ("val_224x224", "valid"), ("Testing", "test"),
    ("test1", "test"), ("eval", "test"), ("Hold-Out", "test"), ("held_out", "test"), ("private_test", "test"),
    ("trains", ""), ("test tube", ""), ("latest", ""), ("contest", ""), ("valentine", ""), ("fold 3", ""), ("", ""),
    ("train_test", ""), ("development kit", ""), ("no test", ""),
])  # fmt: skip
def test_names_of_splits(name: str, split: str) -> None:
    assert split_named(name) == split


# ---- names -----------------------------------------------------------------------------------------------------------

COMPOSED, APART = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def macos_names(root: Path) -> Path:
    """A folder whose names came from macOS, and a table that was written elsewhere."""
    rows = f"{COMPOSED}/{COMPOSED}0.jpg,{APART} | {COMPOSED}/1.jpg,{COMPOSED} | bar/0.jpg,bar | bar/1.jpg,bar"
    return grow(root, f"{APART}/{{{APART}0,1}}.jpg\nbar/2\nmetadata.csv: file_name,label | {rows}")


def test_one_word_in_two_unicode_forms_is_one_label(tmp_path: Path) -> None:
    images, said = opened(grow(tmp_path / "set", f"{COMPOSED}/2\n{APART}/{{a,b}}.jpg\nbar/2"))
    assert (images.labels, said) == (["bar", COMPOSED], [])
    assert {one.file_name.partition("/")[0] for one in images} == {COMPOSED, APART, "bar"}, "files keep their names"
    assert images.subset(labels=[APART, "bar"]).labels == images.labels


def test_tables_edits_and_truth_find_files_in_the_other_form(tmp_path: Path) -> None:
    root = macos_names(tmp_path / "set")
    (root / "truth.jsonl").write_text(f'{{"file_name": "{COMPOSED}/1.jpg", "scene": 7}}\n')
    images = ImageSet.open(root)
    assert (images.skipped, Counter(one.label for one in images)) == ([], {COMPOSED: 2, "bar": 2})
    images.relabel(f"{COMPOSED}/1.jpg", "bar")
    images.drop(f"{COMPOSED}/{COMPOSED}0.jpg")
    journal = root / "edits.jsonl"
    for form in ("NFC", "NFD"):
        journal.write_text(unicodedata.normalize(form, journal.read_text()))
        again = ImageSet.open(root)
        assert (again.labels, len(again), len(again.dropped)) == (["bar"], 3, 1)
        assert again.truth[again[f"{APART}/1.jpg"].file_name] == {"scene": 7}
    again.relabel(f"{APART}/1.jpg", APART)
    assert again.labels == ["bar", COMPOSED] and len(again.undo()) == 1


@pytest.mark.parametrize(
    ("tree", "labels", "warning"),
    [
        ("{ cat,cat,dog}/2", ["cat", "dog"], "' cat' and 'cat' differ only in blanks"),
        ("{Cat,cat,dog}/2", ["Cat", "cat", "dog"], "'Cat' and 'cat' differ only in case"),
        (f"{{Café,{APART},dog}}/2", ["Café", COMPOSED, "dog"], "'Café' and 'café' differ only in case"),
        (f"cat/{{{COMPOSED},{APART}}}.jpg\ndog/2", ["cat", "dog"], "names of files differ only in their Unicode form"),
        ("{a,b}.jpg\nmetadata.csv: file_name,label | a.jpg,Cat | b.jpg,cat", ["Cat", "cat"], "differ only in case"),
        ("{a,b}.jpg\nmetadata.csv: file_name,label,split | a.jpg,x,train | b.jpg,y,holdout", ["x", "y"], "as 'test'"),
    ],
)
def test_names_that_look_alike_are_warned_of(tmp_path: Path, tree: str, labels: list[str], warning: str) -> None:
    with pytest.warns(TLCourseWarning, match=warning):
        assert ImageSet.open(grow(tmp_path / "set", tree)).labels == sorted(labels)


# ---- hostile ---------------------------------------------------------------------------------------------------------


def link_in_circles(root: Path) -> None:
    (root / "cat/self").symlink_to(root)
    (root / "train").symlink_to(root / "cat")
    (root / "dog/a.jpg").symlink_to(root / "dog/b.jpg")
    (root / "dog/b.jpg").symlink_to(root / "dog/a.jpg")


def nest_deeply(root: Path) -> None:
    folder = root.joinpath("cat", *["d"] * 300)
    folder.mkdir(parents=True)
    (folder / "deep.jpg").write_bytes(image("deep"))


@pytest.mark.parametrize(("spoil", "count"), [(link_in_circles, 6), (nest_deeply, 7)])
def test_links_in_circles_and_great_depths(tmp_path: Path, spoil: Callable[[Path], None], count: int) -> None:
    root = grow(tmp_path / "s", "{cat,dog}/3")
    spoil(root)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 200)  # a tree may be deeper than Python's stack
    try:
        images, _ = opened(root)
    finally:
        sys.setrecursionlimit(limit)
    assert (len(images), images.labels) == (count, ["cat", "dog"])
