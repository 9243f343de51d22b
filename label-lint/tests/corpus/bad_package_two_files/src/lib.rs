mod labels;
mod work;
