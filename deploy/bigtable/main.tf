# The store of one environment: instance, tables, app profile, and who may do what.
terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.0, < 8.0"
    }
  }
}

provider "google" {
  project = local.project
}

locals {
  project  = coalesce(var.project, "anbc-${var.environment}")
  instance = coalesce(var.instance, "${var.tenant}-db-${var.environment}")
}

resource "google_bigtable_instance" "flags" {
  name                = local.instance
  deletion_protection = true

  cluster {
    cluster_id   = "${local.instance}-c1"
    zone         = var.zone
    storage_type = "SSD"

    autoscaling_config {
      min_nodes  = var.min_nodes
      max_nodes  = var.max_nodes
      cpu_target = 70
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

# Flags and their history: one version of each cell, for ever.
resource "google_bigtable_table" "flags" {
  name                = var.flag_table
  instance_name       = google_bigtable_instance.flags.name
  deletion_protection = "PROTECTED"

  column_family {
    family = "metadata"
  }
}

resource "google_bigtable_gc_policy" "flags" {
  instance_name = google_bigtable_instance.flags.name
  table         = google_bigtable_table.flags.name
  column_family = "metadata"

  max_version {
    number = 1
  }
}

# Exposures: one version of each cell, until they are too old.
resource "google_bigtable_table" "log" {
  name                = var.log_table
  instance_name       = google_bigtable_instance.flags.name
  deletion_protection = "PROTECTED"

  column_family {
    family = "metadata"
  }
}

resource "google_bigtable_gc_policy" "log" {
  instance_name = google_bigtable_instance.flags.name
  table         = google_bigtable_table.log.name
  column_family = "metadata"
  mode          = "UNION"

  max_version {
    number = 1
  }

  max_age {
    duration = "${var.log_retention_days * 24}h"
  }
}

# Appends compare and set in one row, which only a single cluster can promise.
resource "google_bigtable_app_profile" "flags" {
  instance       = google_bigtable_instance.flags.name
  app_profile_id = "flag-service"

  single_cluster_routing {
    cluster_id                 = "${local.instance}-c1"
    allow_transactional_writes = true
  }
}
