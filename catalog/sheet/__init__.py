"""The official spreadsheet (信息资源目录表): resources written to xlsx, read back, and marked where wrong."""
