import { Body, Controller, Get, NotFoundException, Param, ParseUUIDPipe, Post } from '@nestjs/common'
import { type NewOrder, newOrder } from './new-order.ts'
import { type Order, OrdersService } from './orders.service.ts'

@Controller('orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post()
  place(@Body({ schema: newOrder }) order: NewOrder): Promise<{ id: string; jobId: string }> {
    return this.orders.place(order)
  }

  @Get(':id')
  async find(@Param('id', ParseUUIDPipe) id: string): Promise<Order> {
    const order = await this.orders.find(id)
    if (!order) throw new NotFoundException(`there is no order ${id}`)
    return order
  }
}
