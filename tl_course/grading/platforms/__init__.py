"""Canvas, Moodle, Blackboard, Brightspace, GitHub Classroom, Gradescope: in and out."""
