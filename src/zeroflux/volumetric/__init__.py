"""Files that hold fields on a grid."""
