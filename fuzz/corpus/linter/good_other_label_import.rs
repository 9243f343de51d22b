use egui::Label;
fn f(ui: &mut egui::Ui) {
    ui.add(Label::new("user_id", 3));
    iced::widget::Label::new("user_id", 3);
}
